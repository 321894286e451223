"""Fidelity and variety apart: are fakes where real samples are, and is every real place reached?

A set's manifold is the union of balls around its samples, each as wide as the distance to its k-th nearest
other sample. Distances are exact, in float64, a block of rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ganjax.metrics.inputs import as_feature_pair, check_number

_BLOCK = 512  # rows of distances at a time: 40 MB for 10 000 columns
# Rounding of a squared distance against the squared lengths it is computed from. Balls reach that much
# further, so that copies of a sample are inside a ball of radius 0, and its k-th neighbour is on its edge.
_ROUNDING = 1e-12


class PrecisionRecall(NamedTuple):
    """What `precision_recall` finds: shares in [0, 1]."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """What `density_coverage` finds: a density that may exceed 1, and a share in [0, 1]."""

    density: float
    coverage: float


def precision_recall(real: ArrayLike, fake: ArrayLike, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall: shares of fakes on the real manifold, and of real samples on the fakes'.

    Kynkaanniemi et al. 2019, equations 1 and 2, https://arxiv.org/abs/1904.06991. Exchanging the sets
    exchanges the scores. Balls shrink as sets grow, so both depend on n and neither reaches 1 for a perfect
    generator: compare with held-out real samples of the same n.

    Args:
        real: `(n, d)` floats.
        fake: `(m, d)` floats.
        k: which neighbour's distance is a ball's radius; below n and m.

    Raises:
        ValueError: other types or shapes, different widths, NaN or infinity, k out of range.

    Cost: (n^2 + m^2 + nm) d.
    """
    real, fake = _prepared(real, fake, k)
    real_reach, fake_reach = _reach(real, k), _reach(fake, k)
    precise = np.zeros(len(fake), bool)
    recalled = np.zeros(len(real), bool)
    for rows, squared in _squared_distances(fake, real):
        precise[rows] = (squared <= real_reach).any(axis=1)
        recalled |= (squared <= fake_reach[rows, None]).any(axis=0)
    return PrecisionRecall(float(precise.mean()), float(recalled.mean()))


def density_coverage(real: ArrayLike, fake: ArrayLike, k: int = 5) -> DensityCoverage:
    """Density: in how many real balls a fake lies, over k; coverage: the share of real balls with a fake.

    Naeem et al. 2020, equations 3 and 4, https://arxiv.org/abs/2002.09797. For fakes distributed as the real
    samples, density is 1 on average, and coverage 1 - (n - 1)...(n - k) / ((2n - 1)...(2n - k)) for n = m
    (about 1 - 2^-k: .97 for k = 5), whatever the features; with m above n coverage rises. Not symmetric: an
    outlier among the fakes widens no ball.

    Args:
        real: `(n, d)` floats.
        fake: `(m, d)` floats.
        k: which neighbour's distance is a real ball's radius; below n and m.

    Raises:
        ValueError: other types or shapes, different widths, NaN or infinity, k out of range.

    Cost: (n^2 + nm) d.
    """
    real, fake = _prepared(real, fake, k)
    reach = _reach(real, k)
    inside = 0
    covered = np.zeros(len(real), bool)
    for _, squared in _squared_distances(fake, real):
        within = squared <= reach
        inside += np.count_nonzero(within)
        covered |= within.any(axis=0)
    return DensityCoverage(float(inside / (k * len(fake))), float(covered.mean()))


def _prepared(real: ArrayLike, fake: ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sets about the real mean, from where squared lengths are short and distances precise."""
    first, second = as_feature_pair(("real", "fake"), real, fake)
    check_number("k", k, 1, min(len(first), len(second)) - 1, "below the size of both sets")
    mean = first.mean(axis=0)
    return first - mean, second - mean


def _reach(points: np.ndarray, k: int) -> np.ndarray:
    """Squared radius of each point's ball, `(n,)`: to its k-th nearest other point, and rounding."""
    radii = np.empty(len(points))
    for rows, squared in _squared_distances(points, points):
        squared[np.arange(len(squared)), np.arange(rows.start, rows.start + len(squared))] = np.inf
        radii[rows] = np.partition(squared, k - 1, axis=1)[:, k - 1]
    return radii + _ROUNDING * (radii + (points**2).sum(axis=1))


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Rows of a, and the squared distances `(rows, len(b))` of these to every b; the caller's to change."""
    lengths_a, lengths_b = (a**2).sum(axis=1), (b**2).sum(axis=1)
    for start in range(0, len(a), _BLOCK):
        rows = slice(start, start + _BLOCK)
        squared = (-2 * a[rows]) @ b.T
        squared += lengths_a[rows, None]
        squared += lengths_b
        yield rows, np.maximum(squared, 0, out=squared)
