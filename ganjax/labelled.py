"""Batches of real samples, with labels for a conditional GAN, and whether they fit a GAN."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import export


class Labelled(NamedTuple):
    """Samples and their labels.

    Attributes:
        samples: `(batch, *sample_shape)` floating point, or a structure of such arrays.
        labels: `(batch, *label_shape)`, or a structure of such arrays: floating point (one-hot classes,
            pictures) or integers, as the networks' inputs are; None in a GAN without.
    """

    samples: Any
    labels: Any = None


export.register_namedtuple_serialization(Labelled, serialized_name="ganjax.Labelled")


def labelled(real: Any) -> Labelled:
    """`real` with its labels, None where it is samples alone."""
    return real if isinstance(real, Labelled) else Labelled(real)


def count(samples: Any) -> int:
    """How many samples there are."""
    return jax.tree.leaves(samples)[0].shape[0]


def split_batches(real: Labelled, n: int) -> list[Labelled]:
    """The `n` batches that follow one another in `real`: floating point as float32, integers unchanged."""

    def batches(x: jax.Array) -> list[jax.Array]:
        return jnp.split(x.astype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) else x, n)

    parts = jax.tree.map(batches, real)
    return jax.tree.transpose(jax.tree.structure(real), jax.tree.structure([0] * n), parts)


def check_real(
    real: Any, sample_spec: Any, label_spec: Any, discriminator_updates: int, packing: int = 1
) -> None:
    """Raise TypeError or ValueError unless `real` is a batch that a GAN can use.

    Args:
        real: samples, or `Labelled`.
        sample_spec, label_spec, discriminator_updates, packing: those of the GAN.
    """
    samples, labels = labelled(real)
    pairs = _pairs("real", samples, sample_spec, exact=True)
    sizes = {name: x.shape[:1] for name, x, _ in pairs}
    for name, x, spec in pairs:
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise TypeError(
                f"{name} must be floating point in the range of the generator's output, got {x.dtype}: "
                "scale pixels to [-1, 1] first"
            )
        if x.ndim != 1 + len(spec.shape) or x.shape[1:] != spec.shape:
            raise ValueError(
                f"{name} must have shape (batch, {', '.join(map(str, spec.shape))}), got {x.shape}"
            )
    if len(set(sizes.values())) > 1:
        raise ValueError(f"all parts of real must hold equally many samples, got {sizes}")
    n = count(samples)
    if n == 0 or n % discriminator_updates:
        raise ValueError(
            f"real holds {n} samples, which cannot be split into "
            f"discriminator_updates={discriminator_updates} equal batches"
        )
    check_labels(labels, label_spec, n)
    check_packs(n // discriminator_updates, packing)


def check_packs(n: int, packing: int) -> None:
    """Raise ValueError unless `n` samples make whole packs."""
    if n % packing:
        raise ValueError(f"{n} samples cannot be put into packs of {packing}: give a multiple of {packing}")


ANY = "any"
"""As a spec of labels: no network takes them, but a loss asks for them, and they are what it expects."""


def check_labels(labels: Any, label_spec: Any, n: int) -> None:
    """Raise TypeError or ValueError unless these are `n` labels as `label_spec`, that of the GAN, says."""
    if label_spec is None and labels is not None:
        raise TypeError("this GAN takes no labels: leave them out")
    if label_spec is not None and labels is None:
        shapes = [("n", *leaf.shape) for leaf in jax.tree.leaves(label_spec) if label_spec is not ANY]
        shape = " of shape " + " and ".join(map(str, shapes)) if shapes else ""
        raise TypeError(f"this GAN needs labels{shape}: give them, as Labelled(samples, labels)")
    if labels is None:
        return
    if label_spec is ANY:
        if any(jnp.shape(x)[:1] != (n,) for x in jax.tree.leaves(labels)):
            sizes = [jnp.shape(x) for x in jax.tree.leaves(labels)]
            raise ValueError(f"labels must be arrays of {n} labels each, got shapes {sizes}")
        return
    for name, x, spec in _pairs("labels", labels, label_spec):
        wanted = jnp.integer if jnp.issubdtype(spec.dtype, jnp.integer) else jnp.floating
        if not jnp.issubdtype(x.dtype, wanted):
            advice = 'floating point, such as one-hot, or the networks need keras.Input((), dtype="int32")'
            kind = "integers, as the networks' inputs are" if wanted is jnp.integer else advice
            raise TypeError(f"{name} must be {kind}; got {x.dtype}")
        if x.shape != (n, *spec.shape):
            raise ValueError(f"{name} must have shape {(n, *spec.shape)}, got {x.shape}")


def _pairs(name: str, value: Any, spec: Any, *, exact: bool = False) -> list[tuple[str, Any, Any]]:
    """`(name, array, spec)` for every array of a structure; a dict of labels may hold more than asked for."""
    if isinstance(spec, jax.ShapeDtypeStruct):
        if not hasattr(value, "shape") or not hasattr(value, "dtype"):
            raise TypeError(f"{name} must be an array, got {_form(value)}")
        return [(name, value, spec)]
    if isinstance(spec, dict):
        names = value.keys() if isinstance(value, dict) else set()
        if spec.keys() - names or (exact and names - spec.keys()):
            raise TypeError(f"{name} must be a dict with {', '.join(spec)}, got {_form(value)}")
        parts = [(f"{name}[{key!r}]", value[key], spec[key]) for key in spec]
    else:
        if not isinstance(value, (list, tuple)) or len(value) != len(spec):
            raise TypeError(f"{name} must be a tuple of {len(spec)} arrays, got {_form(value)}")
        parts = [(f"{name}[{i}]", x, each) for i, (x, each) in enumerate(zip(value, spec, strict=True))]
    return [pair for part in parts for pair in _pairs(*part, exact=exact)]


def _form(value: Any) -> str:
    if isinstance(value, dict):
        return f"a dict with {', '.join(map(str, value))}"
    return "an array" if hasattr(value, "shape") else type(value).__name__
