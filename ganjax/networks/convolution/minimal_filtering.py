"""The matrices of Winograd's minimal filtering, computed exactly.

F(tile, taps) computes `tile` neighbouring outputs of a filter with `taps` coefficients by
`points = tile + taps - 1` multiplications instead of `tile * taps`:

    outputs = A^T [(G filter) * (B^T inputs)]

(Winograd 1980, "Arithmetic complexity of computations"; for convolutions Lavin and Gray 2016, equation 5,
https://arxiv.org/abs/1509.09308). The Cook-Toom algorithm computes the product of two polynomials from its
values at as many points as it has coefficients; filtering is the transpose of this product.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

POINTS = {
    (2, 2): (0, 1),
    (4, 2): (0, 1, -1, 2),
    (2, 3): (0, 1, -1),
    (4, 3): (0, 1, -1, 2, Fraction(-1, 2)),
}
"""The points of F(tile, taps) besides infinity: those small numbers that give the least rounding error."""

Rows = list[list[Fraction]]


@functools.cache
def minimal_filtering(tile: int, taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(A, G, B)` of F(tile, taps): float32 `(points, tile)`, `(points, taps)` and `(points, points)`."""
    points = tile + taps - 1
    inverse = _inverse(_evaluation(tile, taps, points))
    interpolation = [list(column) for column in zip(*inverse, strict=True)]
    # The denominators of B are moved to G, so that B, which multiplies every image, has whole numbers.
    scales = [Fraction(math.lcm(*(entry.denominator for entry in row))) for row in interpolation]
    return (
        _scaled(_evaluation(tile, taps, tile), [Fraction(1)] * points),
        _scaled(_evaluation(tile, taps, taps), [1 / scale for scale in scales]),
        _scaled(interpolation, scales),
    )


def _evaluation(tile: int, taps: int, coefficients: int) -> Rows:
    """The matrix from a polynomial's coefficients to its values at the points, with infinity last."""
    finite = [Fraction(point) for point in POINTS[tile, taps]]
    powers = [[point**power for power in range(coefficients)] for point in finite]
    return [*powers, [Fraction(0)] * (coefficients - 1) + [Fraction(1)]]


def _scaled(rows: Rows, factors: Sequence[Fraction]) -> np.ndarray:
    scaled = [[float(entry * factor) for entry in row] for row, factor in zip(rows, factors, strict=True)]
    return np.array(scaled, np.float32)


def _inverse(matrix: Rows) -> Rows:
    """Gauss-Jordan elimination in fractions."""
    size = len(matrix)
    rows = [[*row, *(Fraction(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for i in range(size):
        pivot = next(j for j in range(i, size) if rows[j][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [entry / rows[i][i] for entry in rows[i]]
        for j in range(size):
            if j != i:
                rows[j] = [a - rows[j][i] * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [row[size:] for row in rows]
