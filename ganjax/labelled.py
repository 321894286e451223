"""Batches of real samples, with labels for a conditional GAN, and whether they fit a GAN."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Labelled(NamedTuple):
    """Samples and their labels.

    Attributes:
        samples: `(batch, *sample_shape)` floating point.
        labels: `(batch, *label_shape)` floating point, for instance one-hot; None in a GAN without.
    """

    samples: jax.Array
    labels: jax.Array | None = None


def labelled(real: jax.Array | Labelled) -> Labelled:
    """`real` with its labels, None where it is samples alone."""
    return real if isinstance(real, Labelled) else Labelled(real)


def check_real(
    real: jax.Array | Labelled,
    sample_shape: tuple[int, ...],
    label_shape: tuple[int, ...] | None,
    discriminator_updates: int,
    packing: int = 1,
) -> None:
    """Raise TypeError or ValueError unless `real` is a batch of samples (and labels) of these shapes."""
    real, labels = labelled(real)
    check_labels(labels, label_shape, real)
    if not hasattr(real, "shape") or not hasattr(real, "dtype"):
        raise TypeError(f"real must be an array, got {type(real).__name__}")
    if not jnp.issubdtype(real.dtype, jnp.floating):
        raise TypeError(
            f"real must be floating point in the range of the generator's output, got {real.dtype}: "
            "scale pixels to [-1, 1] first"
        )
    if real.ndim != 1 + len(sample_shape) or real.shape[1:] != sample_shape:
        raise ValueError(
            f"real must have shape (batch, {', '.join(map(str, sample_shape))}), got {real.shape}"
        )
    if real.shape[0] == 0 or real.shape[0] % discriminator_updates:
        raise ValueError(
            f"real holds {real.shape[0]} samples, which cannot be split into "
            f"discriminator_updates={discriminator_updates} equal batches"
        )
    check_packs(real.shape[0] // discriminator_updates, packing)


def check_packs(n: int, packing: int) -> None:
    """Raise ValueError unless `n` samples make whole packs."""
    if n % packing:
        raise ValueError(f"{n} samples cannot be put into packs of {packing}: give a multiple of {packing}")


def check_labels(labels: Any, label_shape: tuple[int, ...] | None, samples: Any) -> None:
    """Raise TypeError or ValueError unless `labels` fit the GAN, one for each of `samples`."""
    if (labels is None) != (label_shape is None):
        if label_shape is None:
            raise TypeError("this GAN takes no labels: leave them out")
        raise TypeError(
            f"this GAN needs labels of shape {('n', *label_shape)}: give them, as Labelled(samples, labels)"
        )
    if labels is None or label_shape is None:
        return
    if not jnp.issubdtype(labels.dtype, jnp.floating):
        raise TypeError(f"labels must be floating point, such as one-hot, got {labels.dtype}")
    if labels.shape != (len(samples), *label_shape):
        raise ValueError(f"labels must have shape {(len(samples), *label_shape)}, got {labels.shape}")
