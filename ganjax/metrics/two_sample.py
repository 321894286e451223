"""Can two sets of points be told apart? Tests of equal distribution, whose p-values hold for every n."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

_ENTRIES = 2**22  # distances at a time: 16 MB
_PAIRED = 512  # points whose distances the median is taken of


class TwoSampleTest(NamedTuple):
    """What `energy_test` and `mmd_test` find; float32 scalars.

    Attributes:
        statistic: how far apart the sets are; not negative, and positive by chance alone.
        p_value: share of the ways to deal out the same points that set them as far apart or farther, in
            [1 / (permutations + 1), 1]. Uniform where the distributions are equal.
    """

    statistic: jax.Array
    p_value: jax.Array


def energy_test(x: jax.Array, y: jax.Array, *, key: jax.Array, permutations: int = 500) -> TwoSampleTest:
    """Energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'|, and whether it is more than chance.

    Szekely and Rizzo 2004, "Testing for equal distributions in high dimension"; 2013, "Energy statistics",
    https://doi.org/10.1016/j.jspi.2013.03.018, equation 6.1. Means are over all pairs, a point with itself
    included, so the statistic is the square of `scipy.stats.energy_distance`, here in any dimension and in
    the data's unit of length. It sees every difference of distributions, the better the larger in space:
    widths of modes that lie far apart it hardly sees.

    p = (1 + #{permuted >= observed}) / (permutations + 1) (Phipson and Smyth 2010).

    Pure, and may be jitted and vmapped over keys and points.

    Args:
        x: `(n, d)` float32. Points that are not finite give a statistic of NaN and the smallest p.
        y: `(m, d)` float32.
        key: PRNG key that draws the permutations.
        permutations: how many.

    Raises:
        ValueError: shapes do not go together, or permutations is less than 1.

    Cost, with N = n + m: N^2 (d + permutations) multiplications and `permutations` sorts of N numbers; memory
    for twice N * permutations numbers and for 16 MB of distances. A second on one core for N = 5 000.
    """
    _check(x, y, permutations)
    return _energy_test(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32), key, permutations)


def mmd_test(
    x: jax.Array,
    y: jax.Array,
    *,
    key: jax.Array,
    permutations: int = 500,
    bandwidth: float | jax.Array | None = None,
) -> TwoSampleTest:
    """Squared maximum mean discrepancy E k(X, X') + E k(Y, Y') - 2 E k(X, Y), and whether it is chance.

    Gretton et al. 2012, equation 5, https://jmlr.org/papers/v13/gretton12a.html: means are over all pairs, so
    it is in [0, 2] and biased by 1/n + 1/m at most. The kernel is Gaussian, exp(-|a - b|^2 / 2 h^2); h is the
    median distance between points of both sets (section 8 there; of 512 of them at most, drawn by `key`).
    Where modes lie far apart, that is the distance between modes: a smaller `bandwidth` looks at their shape.

    Arguments, p-value, errors and cost as in `energy_test`.
    """
    _check(x, y, permutations)
    width = None if bandwidth is None else jnp.asarray(bandwidth, jnp.float32)
    return _mmd_test(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32), width, key, permutations)


def _check(x: jax.Array, y: jax.Array, permutations: int) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        raise ValueError(f"x and y must be points of shape (n, d) and (m, d), got {x.shape} and {y.shape}")
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")


@partial(jax.jit, static_argnames="permutations")
def _energy_test(x: jax.Array, y: jax.Array, key: jax.Array, permutations: int) -> TwoSampleTest:
    return _test(x, y, lambda square: -jnp.sqrt(square), key, permutations)


@partial(jax.jit, static_argnames="permutations")
def _mmd_test(
    x: jax.Array, y: jax.Array, bandwidth: jax.Array | None, key: jax.Array, permutations: int
) -> TwoSampleTest:
    key_median, key = jax.random.split(key)
    width = _median_distance(x, y, key_median) if bandwidth is None else bandwidth
    return _test(x / width, y / width, lambda square: jnp.exp(-square / 2), key, permutations)


Kernel = Callable[[jax.Array], jax.Array]  # of squared distances


def _test(x: jax.Array, y: jax.Array, kernel: Kernel, key: jax.Array, permutations: int) -> TwoSampleTest:
    """With u the vector of 1/n for points of x and -1/m for those of y, and K the kernel of all pairs, both
    statistics are u' K u, and to deal out the points anew is to permute u."""
    n, m = len(x), len(y)
    sides = jnp.concatenate([jnp.full(n, 1 / n, jnp.float32), jnp.full(m, -1 / m, jnp.float32)])
    dealt = jax.vmap(lambda key: _shuffled(key, sides))(jax.random.split(key, permutations))
    columns = jnp.concatenate([sides[None], jnp.abs(sides)[None], dealt]).T
    found = _quadratic(jnp.concatenate([x, y]), columns, kernel)
    observed, size, permuted = found[0], found[1], found[2:]
    # Equal but for rounding is equal: copies of one point would else be told apart.
    rounding = 1e-6 * (1 / n + 1 / m) * jnp.abs(size)
    extreme = jnp.sum(permuted >= observed - rounding, dtype=jnp.float32)
    return TwoSampleTest(observed, (1 + extreme) / (permutations + 1))


def _shuffled(key: jax.Array, sides: jax.Array) -> jax.Array:
    # Sorting by random bits once: jax.random.permutation does it twice, lest two bits in 2^32 be equal, and
    # sorting is half of the time of a test.
    return jax.lax.sort_key_val(jax.random.bits(key, sides.shape), sides)[1]


def _quadratic(points: jax.Array, columns: jax.Array, kernel: Kernel) -> jax.Array:
    """u' K u of every column u, some rows of K at a time."""
    count = len(points)
    rows = min(count, max(1, _ENTRIES // count))
    padded = jnp.pad(points, ((0, -count % rows), (0, 0))).reshape(-1, rows, points.shape[1])
    weights = jnp.pad(columns, ((0, -count % rows), (0, 0))).reshape(-1, rows, columns.shape[1])

    def part(block: tuple[jax.Array, jax.Array]) -> jax.Array:
        some, weight = block
        between = kernel(_squared_distances(some, points))
        return jnp.sum(weight * jnp.matmul(between, columns, precision=jax.lax.Precision.HIGHEST), axis=0)

    return jnp.sum(jax.lax.map(part, (padded, weights)), axis=0)


def _squared_distances(a: jax.Array, b: jax.Array) -> jax.Array:
    """Of every pair, `(n, m)`, from differences: |a|^2 + |b|^2 - 2 a.b loses what is close in rounding."""
    return jnp.sum((a.T[:, :, None] - b.T[:, None, :]) ** 2, axis=0)  # coordinates first: one vector loop


def _median_distance(x: jax.Array, y: jax.Array, key: jax.Array) -> jax.Array:
    points = jax.random.permutation(key, jnp.concatenate([x, y]))[:_PAIRED]
    above = jnp.triu_indices(len(points), 1)
    median = jnp.sqrt(jnp.median(_squared_distances(points, points)[above]))
    return jnp.where(median > 0, median, 1.0)  # half of the points in one place: any scale will do
