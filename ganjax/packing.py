"""Packs: several samples that the discriminator judges as one (Lin et al. 2018, PacGAN, arXiv:1712.04086)."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def pack(x: jax.Array, size: int) -> jax.Array:
    """Each `size` samples in a row as one, side by side on the last axis (the paper's section 2.2).

    Args:
        x: `(n, ..., c)`, n a multiple of `size`.
        size: samples in a pack, at least 1.

    Returns:
        `(n / size, ..., size * c)`; `x` itself where size is 1.
    """
    if size == 1:
        return x
    n, *axes, channels = x.shape
    apart = x.reshape(n // size, size, *axes, channels)
    return jnp.moveaxis(apart, 1, -2).reshape(n // size, *axes, size * channels)
