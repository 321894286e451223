"""Checks made before anything is compiled; each error is one line."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import keras
import optax
from jax.core import Tracer

from ganjax.losses import Loss


def check_network(role: str, model: keras.Model, optimizer: optax.GradientTransformation) -> None:
    """Raise TypeError or ValueError unless `model` is a built Keras model and `optimizer` is optax's."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"{role} must be a Keras model, got {type(model).__name__}")
    if not model.built:
        raise ValueError(f"{role} is not built: give it a keras.Input, or call it once on a batch")
    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(
            f"{role}_optimizer must be an optax transformation such as optax.adam(2e-4, b1=0.5), "
            f"got {optimizer!r}"
        )


def check_normal(mean: float, scale: float) -> None:
    """Raise TypeError or ValueError unless N(mean, scale^2) is a normal distribution.

    Traced values are not known yet, and pass.
    """
    if is_traced(mean) or is_traced(scale):
        return
    if not (math.isfinite(mean) and math.isfinite(scale) and scale > 0):
        raise ValueError(f"a normal distribution needs a finite mean and a scale > 0, got {mean} and {scale}")


def is_traced(value: Any) -> bool:
    """Whether `value` is a traced scalar: a hyperparameter within `jit` or `vmap`."""
    return isinstance(value, Tracer) and value.shape == ()


def check_gan(
    generated: tuple[int, ...],
    seen: tuple[int, ...],
    packing: int,
    labels: tuple[tuple[int, ...] | None, tuple[int, ...] | None],
    augment: Any,
    loss: Loss,
    penalties: tuple,
    update: str,
    ema_decay: float,
    discriminator_updates: int,
    unrolling: int,
) -> None:
    """Raise TypeError or ValueError unless the networks fit each other and every option is in its range."""
    if not isinstance(packing, int) or packing < 1:
        raise ValueError(f"packing must be a whole number of at least 1, got {packing}")
    if packing > 1 and labels != (None, None):
        raise ValueError("a GAN with labels cannot pack samples: each has a label of its own")
    packed = (*generated[:-1], packing * generated[-1]) if packing > 1 and generated else generated
    if packed != seen:
        packs = f", {packed} in packs of {packing}" if packing > 1 else ""
        raise ValueError(
            f"the generator makes samples of shape {generated}{packs}, but the discriminator takes {seen}"
        )
    if labels[0] != labels[1]:
        raise ValueError(
            f"the generator takes labels of shape {labels[0]}, but the discriminator of shape {labels[1]}"
        )
    if augment is not None and not callable(augment):
        raise TypeError(f"augment must be a function (key, samples) -> samples or None, got {augment!r}")
    if not isinstance(loss, Loss):
        raise TypeError(f"loss must be a pair such as ganjax.losses.hinge, got {loss!r}")
    if not isinstance(penalties, tuple):
        raise TypeError(f"penalties must be a tuple such as (R1(10.0),), got {penalties!r}")
    if update not in ("simultaneous", "alternating"):
        raise ValueError(f'update must be "simultaneous" or "alternating", got {update!r}')
    if not is_traced(ema_decay) and not 0 <= ema_decay < 1:
        raise ValueError(f"ema_decay must be in [0, 1), got {ema_decay}")
    if not isinstance(discriminator_updates, int) or discriminator_updates < 1:
        raise ValueError(
            f"discriminator_updates must be a whole number of at least 1, got {discriminator_updates}"
        )
    if not isinstance(unrolling, int) or unrolling < 0:
        raise ValueError(f"unrolling must be a whole number of at least 0, got {unrolling}")
    if unrolling and update != "alternating":
        raise ValueError('unrolling unrolls D in G\'s own update: it needs update="alternating"')


def as_key(key: jax.Array) -> jax.Array:
    """`key` as one new-style PRNG key; legacy uint32 keys are accepted.

    Raises:
        TypeError: it is not a key (an integer, for instance).
        ValueError: it is an array of keys.
    """
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        if key.shape:
            raise ValueError(f"one key is needed, got an array of keys of shape {key.shape}: use jax.vmap")
        return key
    shape = getattr(key, "shape", ())
    if dtype == jnp.uint32 and len(shape) == 1:
        return jax.random.wrap_key_data(jnp.asarray(key))
    if dtype == jnp.uint32 and len(shape) > 1:
        raise ValueError(f"one key is needed, got uint32 numbers of shape {shape}: use jax.vmap")
    got = type(key).__name__ if dtype is None else f"an array of {dtype} of shape {shape}"
    raise TypeError(f"a PRNG key is needed, such as jax.random.key(0), got {got}")
