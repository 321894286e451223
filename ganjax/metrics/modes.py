"""Scores on mixtures of equal Gaussians whose centres are known: the ring and the grid."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Modes(NamedTuple):
    """What `count_modes` finds; float32 scalars.

    Attributes:
        captured: modes with at least one high-quality sample, in 0..K.
        high_quality: share of samples within 3 sigma of their nearest centre, in [0, 1]. A perfect sampler
            has 1 - exp(-9/2) = 0.9889 in two dimensions; clearly more means samples too concentrated.
        reverse_kl: log K - H of the mode histogram over high-quality samples, in nats, in [0, log K].
    """

    captured: jax.Array
    high_quality: jax.Array
    reverse_kl: jax.Array


def count_modes(samples: jax.Array, centers: jax.Array, sigma: float) -> Modes:
    """Modes captured, high-quality share and reverse KL, as PacGAN defines them.

    Lin et al. 2018, section 4.1, https://arxiv.org/abs/1712.04086.

    Args:
        samples: `(n, dim)` float32; NaN is of no quality.
        centers: `(K, dim)` float32.
        sigma: standard deviation of each mode.

    Cost: n * K distances.
    """
    square = jnp.sum((samples[:, None, :] - centers[None, :, :]) ** 2, axis=2)
    nearest = jnp.argmin(square, axis=1)
    good = (jnp.min(square, axis=1) <= (3 * sigma) ** 2).astype(jnp.float32)
    count = jnp.zeros(len(centers), jnp.float32).at[nearest].add(good)
    share = count / jnp.maximum(jnp.sum(count), 1.0)
    entropy = -jnp.sum(jnp.where(share > 0, share * jnp.log(jnp.where(share > 0, share, 1.0)), 0.0))
    return Modes(
        captured=jnp.sum(count > 0, dtype=jnp.float32),
        high_quality=jnp.mean(good),
        reverse_kl=jnp.log(jnp.float32(len(centers))) - entropy,
    )
