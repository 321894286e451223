"""Precision and recall, density and coverage: fidelity and variety of generated samples as separate scores.

The manifold of a set is estimated by balls around its samples; the radius of a ball is the distance to the
sample's k-th nearest other sample. Distances are exact and in float64, computed in blocks of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ganjax.metrics.inputs import as_feature_pair, check_number

_BLOCK = 512  # rows of distances at a time: 40 MB for 10 000 columns
# Rounding error of a squared distance relative to the squared lengths from which it is computed. Radii are
# increased by it, so that copies of a sample are inside a ball of radius 0, and the k-th neighbour is inside
# its ball.
_ROUNDING = 1e-12


class PrecisionRecall(NamedTuple):
    """The result of `precision_recall`: shares in [0, 1]."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """The result of `density_coverage`: a density, which may exceed 1, and a share in [0, 1]."""

    density: float
    coverage: float


def precision_recall(real: ArrayLike, fake: ArrayLike, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall.

    Precision is the share of generated samples that lie in the ball of a real sample, recall the share of
    real samples that lie in the ball of a generated one. Kynkaanniemi et al. 2019, equations 1 and 2,
    https://arxiv.org/abs/1904.06991. Exchanging the sets exchanges the scores. Balls get smaller as sets get
    larger, so both scores depend on n, and a perfect generator does not get 1: compare with what held-out
    real samples get for the same n.

    Args:
        real: `(n, d)` floats.
        fake: `(m, d)` floats.
        k: the radius of a ball is the distance to the k-th nearest neighbour; less than n and m.

    Raises:
        ValueError: other types or shapes, different d, NaN or infinity, k out of range.

    Cost: (n^2 + m^2 + nm) d operations.
    """
    real, fake = _prepared(real, fake, k)
    real_radii, fake_radii = _squared_radii(real, k), _squared_radii(fake, k)
    precise = np.zeros(len(fake), bool)
    recalled = np.zeros(len(real), bool)
    for rows, squared in _squared_distances(fake, real):
        precise[rows] = (squared <= real_radii).any(axis=1)
        recalled |= (squared <= fake_radii[rows, None]).any(axis=0)
    return PrecisionRecall(float(precise.mean()), float(recalled.mean()))


def density_coverage(real: ArrayLike, fake: ArrayLike, k: int = 5) -> DensityCoverage:
    """Density and coverage.

    Density is the number of real samples' balls in which a generated sample lies, averaged over the generated
    samples and divided by k. Coverage is the share of real samples whose ball contains a generated one. Naeem
    et al. 2020, equations 3 and 4, https://arxiv.org/abs/2002.09797. If both sets have the same distribution,
    density is 1 on average, and coverage is 1 - (n - 1)...(n - k) / ((2n - 1)...(2n - k)) for n = m, which is
    about .97 for k = 5, whatever the features; it is higher for m > n. Not symmetric: outliers among the
    generated samples do not enlarge any ball.

    Args:
        real: `(n, d)` floats.
        fake: `(m, d)` floats.
        k: the radius of a ball is the distance to the k-th nearest real neighbour; less than n and m.

    Raises:
        ValueError: other types or shapes, different d, NaN or infinity, k out of range.

    Cost: (n^2 + nm) d operations.
    """
    real, fake = _prepared(real, fake, k)
    radii = _squared_radii(real, k)
    inside = 0
    covered = np.zeros(len(real), bool)
    for _, squared in _squared_distances(fake, real):
        within = squared <= radii
        inside += np.count_nonzero(within)
        covered |= within.any(axis=0)
    return DensityCoverage(float(inside / (k * len(fake))), float(covered.mean()))


def _prepared(real: ArrayLike, fake: ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sets minus the mean of the real one: with shorter vectors, distances are more precise."""
    first, second = as_feature_pair(("real", "fake"), real, fake)
    check_number("k", k, 1, min(len(first), len(second)) - 1, "less than the size of both sets")
    mean = first.mean(axis=0)
    return first - mean, second - mean


def _squared_radii(points: np.ndarray, k: int) -> np.ndarray:
    """Squared distance from each point to its k-th nearest other point, `(n,)`, plus the rounding error."""
    radii = np.empty(len(points))
    for rows, squared in _squared_distances(points, points):
        squared[np.arange(len(squared)), np.arange(rows.start, rows.start + len(squared))] = np.inf
        radii[rows] = np.partition(squared, k - 1, axis=1)[:, k - 1]
    return radii + _ROUNDING * (radii + (points**2).sum(axis=1))


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows of a, and their squared distances to all of b, `(rows, len(b))`, a new array."""
    lengths_a, lengths_b = (a**2).sum(axis=1), (b**2).sum(axis=1)
    for start in range(0, len(a), _BLOCK):
        rows = slice(start, start + _BLOCK)
        squared = (-2 * a[rows]) @ b.T
        squared += lengths_a[rows, None]
        squared += lengths_b
        yield rows, np.maximum(squared, 0, out=squared)
