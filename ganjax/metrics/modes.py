"""Scores on mixtures of isotropic Gaussians with known centres, such as the ring and the grid."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy import special
from jax.typing import ArrayLike

_RADIUS = 3.0  # a sample within this many standard deviations of a centre is of high quality
_DISTANCES = 2**21  # at a time: 8 MB


class ModeScores(NamedTuple):
    """The result of `mode_scores`; float32 scalars.

    Attributes:
        captured: number of modes with at least one high-quality sample, in [0, K].
        high_quality: share of samples within 3 sigma of their nearest centre, in [0, 1].
        reverse_kl: KL(p || w) in nats, where p is the distribution of high-quality samples over the modes and
            w the mixture's weights; in [0, -log min w], the upper end if no sample is of high quality. With
            equal weights it is log K - H(p).
        deviation: standard deviation of all samples about the mean of their mode, divided by sigma; a sample
            belongs to the mode with the nearest centre. Above 1 if samples lie between modes.
        deviation_high_quality: the same for high-quality samples. A value below that of a perfect sampler
            means that samples are too concentrated, which makes `high_quality` too good.
        weights_p: p-value of Pearson's chi-square test whether the numbers of high-quality samples in the
            modes agree with w, in [0, 1]; 0 if no sample is of high quality. Uniform for a perfect sampler.
    """

    captured: jax.Array
    high_quality: jax.Array
    reverse_kl: jax.Array
    deviation: jax.Array
    deviation_high_quality: jax.Array
    weights_p: jax.Array


def mode_scores(
    samples: ArrayLike, centers: ArrayLike, sigma: float | jax.Array, weights: ArrayLike | None = None
) -> ModeScores:
    """Captured modes, high-quality share and reverse KL as in PacGAN; widths and weights of the modes.

    Lin et al. 2018, section 4.1, https://arxiv.org/abs/1712.04086. With r_i = (x_i - centre) / sigma in d
    dimensions, n_k samples in mode k and m_k their mean, a deviation is
    sqrt(sum_i |r_i - m_k(i)|^2 / (d sum_k max(n_k - 1, 0))): the root of the variance within modes, pooled
    over the modes. NaN if no mode has two samples.

    Pure; may be jitted and vmapped. `perfect_mode_scores` gives the values of a perfect sampler.

    Args:
        samples: `(n, d)` float32. Samples that are not finite belong to no mode and are not of high quality.
        centers: `(K, d)` float32.
        sigma: standard deviation of every mode along every axis; positive.
        weights: `(K,)` positive, need not add up to 1; None for equal ones.

    Cost: 2 n K d operations; memory: the samples, and 8 MB of distances at a time.
    """
    samples, centers = jnp.asarray(samples, jnp.float32), jnp.asarray(centers, jnp.float32)
    n, dim = samples.shape
    scale = 1 / jnp.asarray(sigma, jnp.float32)
    weights = jnp.ones(len(centers), jnp.float32) if weights is None else jnp.asarray(weights, jnp.float32)
    share = weights / jnp.sum(weights)
    block = max(1, _DISTANCES // len(centers))
    if n <= block:
        parts = jax.tree.map(lambda x: x[None], _tally(samples, centers, scale))
    else:
        padded = jnp.pad(samples, ((0, -n % block), (0, 0)), constant_values=jnp.nan)
        parts = jax.lax.map(lambda x: _tally(x, centers, scale), padded.reshape(-1, block, dim))
    _, deviation = _pooled(parts[0], dim)
    count, deviation_high_quality = _pooled(parts[1], dim)
    good = jnp.sum(count)
    found = count / jnp.maximum(good, 1)
    divergence = jnp.maximum(jnp.sum(special.rel_entr(found, share)), 0)
    expected = jnp.maximum(good, 1) * share
    return ModeScores(
        captured=jnp.sum(count > 0, dtype=jnp.float32),
        high_quality=good / n,
        reverse_kl=jnp.where(good > 0, divergence, -jnp.log(jnp.min(share))),
        deviation=deviation,
        deviation_high_quality=deviation_high_quality,
        weights_p=jnp.where(good > 0, _chi_square_p(count, expected), 0.0),
    )


def perfect_mode_scores(n: int, dim: int, weights: jax.Array) -> ModeScores:
    """The expected `mode_scores` of n samples of the mixture itself, if its modes do not overlap.

    Let q = P(chi2_d <= 9) be the share of a Gaussian within 3 sigma. Then captured is
    sum_k 1 - (1 - q w_k)^n, high quality is q, reverse KL is (K - 1) / 2nq to first order in 1/n, and the
    mean p-value is 1/2. The deviation is 1, and that of high-quality samples sqrt(P(chi2_{d+2} <= 9) / q),
    the width of a Gaussian truncated at 3 sigma; both ignore that the root of an unbiased variance is a
    little too small. In the plane q = 1 - exp(-9/2) = 0.9889, with a standard deviation of sqrt(q (1 - q) /
    n), and the width is 0.9744.

    Args:
        n: number of samples.
        dim: d.
        weights: `(K,)` positive, need not add up to 1.
    """
    share = jnp.asarray(weights, jnp.float32) / jnp.sum(jnp.asarray(weights, jnp.float32))
    good = _chi_square_below(_RADIUS**2, dim)
    return ModeScores(
        captured=jnp.sum(-jnp.expm1(n * jnp.log1p(-good * share))),
        high_quality=good,
        reverse_kl=(len(share) - 1) / (2 * n * good),
        deviation=jnp.float32(1),
        deviation_high_quality=jnp.sqrt(_chi_square_below(_RADIUS**2, dim + 2) / good),
        weights_p=jnp.float32(0.5),
    )


class _Part(NamedTuple):
    """Statistics of a block of samples.

    Number `(K,)` and mean `(K, d)` of those in each mode, and the sum of squares about these means `()`.
    """

    count: jax.Array
    mean: jax.Array
    squares: jax.Array


def _tally(samples: jax.Array, centers: jax.Array, scale: jax.Array) -> tuple[_Part, _Part]:
    """Statistics of all samples, and of those of high quality."""
    square = jnp.sum((samples[:, None, :] - centers[None, :, :]) ** 2, axis=2)
    nearest = jnp.argmin(square, axis=1)
    distance = jnp.min(square, axis=1) * scale**2
    member = (nearest[:, None] == jnp.arange(len(centers))[None, :]) & jnp.isfinite(distance)[:, None]
    residual = jnp.where(jnp.isfinite(distance)[:, None], (samples - centers[nearest]) * scale, 0.0)
    return _part(member, residual, nearest), _part(
        member & (distance <= _RADIUS**2)[:, None], residual, nearest
    )


def _part(member: jax.Array, residual: jax.Array, nearest: jax.Array) -> _Part:
    # A product with ones and zeros, since the order of scattered additions, and so their rounding, is not
    # reproducible on GPUs.
    chosen = member.astype(jnp.float32)
    count = jnp.sum(chosen, axis=0)
    total = jnp.matmul(chosen.T, residual, precision=jax.lax.Precision.HIGHEST)
    mean = total / jnp.maximum(count, 1)[:, None]
    squares = jnp.sum((residual - mean[nearest]) ** 2, axis=1)
    return _Part(count, mean, jnp.sum(jnp.where(jnp.any(member, axis=1), squares, 0.0)))


def _pooled(parts: _Part, dim: int) -> tuple[jax.Array, jax.Array]:
    """The number of samples in each mode, and the deviation within modes, from parts with a leading axis.

    Sums of squares are combined as in Chan et al. 1979: those about the means of the parts, plus those of
    these means about the common mean.
    """
    count = jnp.sum(parts.count, axis=0)
    weight = parts.count[:, :, None]
    mean = jnp.sum(weight * parts.mean, axis=0) / jnp.maximum(count, 1)[:, None]
    squares = jnp.sum(parts.squares) + jnp.sum(weight * (parts.mean - mean[None]) ** 2)
    freedom = dim * jnp.sum(jnp.maximum(count - 1, 0))
    return count, jnp.where(freedom > 0, jnp.sqrt(squares / jnp.maximum(freedom, 1)), jnp.nan)


def _chi_square_below(value: float, freedom: int) -> jax.Array:
    return special.gammainc(jnp.float32(freedom / 2), jnp.float32(value / 2))


def _chi_square_p(count: jax.Array, expected: jax.Array) -> jax.Array:
    if len(count) == 1:
        return jnp.float32(1)  # no degrees of freedom
    statistic = jnp.sum((count - expected) ** 2 / expected)
    return special.gammaincc(jnp.float32((len(count) - 1) / 2), statistic / 2)
