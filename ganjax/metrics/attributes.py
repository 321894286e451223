"""Scores of attribute labels, such as a classifier's labels of generated faces.

Labels are whole numbers `(n, attributes)`. A label is -1 where an attribute does not apply (the colour of
hair under a hat) or was not recognised with confidence. Such a label counts as no value and is in no
distribution, but its face still counts among the n faces. `counts`, `(attributes,)`, is the number of values
of each attribute.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ganjax.metrics.inputs import as_labels


def share_produced(
    real_labels: ArrayLike,
    fake_labels: ArrayLike,
    counts: Sequence[int],
    common: float = 0.02,
    at_least: float = 0.0,
) -> float:
    """Share of the common values of all attributes that the samples produce, in [0, 1].

    A value is common if at least a share `common` of the real faces has it. It is produced if at least one
    sample has it, and if its share of the samples is at least `at_least` times its share of the real faces
    (0.25: a quarter as frequent). More samples produce more values, so compare scores with equal n. Held-out
    real faces get 1, apart from chance.

    Raises:
        ValueError: other types or shapes, labels out of range, shares out of range, or no value is common.
    """
    real, fake = _frequencies(real_labels, fake_labels, counts)
    if not 0 < common <= 1 or not at_least >= 0:
        raise ValueError(f"common must be in (0, 1] and at_least >= 0, got {common} and {at_least}")
    wanted = real >= common
    if not wanted.any():
        raise ValueError(f"no value is as common as {common} among real_labels: lower common")
    return float(((fake > 0) & (fake >= at_least * real))[wanted].mean())


def missing_values(
    real_labels: ArrayLike, fake_labels: ArrayLike, counts: Sequence[int], common: float = 0.02
) -> list[tuple[int, int]]:
    """(attribute, value) of the common values that no sample has, see `share_produced`."""
    real, fake = _frequencies(real_labels, fake_labels, counts)
    attribute, value = _positions(counts)
    missing = (real >= common) & (fake == 0)
    return list(zip(attribute[missing].tolist(), value[missing].tolist(), strict=True))


def entropies(labels: ArrayLike, counts: Sequence[int]) -> np.ndarray:
    """Entropy of each attribute's values where it applies, in bits, float64 `(attributes,)`.

    In [0, log2(count)]; 0 if all faces have the same value, or if the attribute never applies. For a finite
    number of faces it is too small, by about (values - 1) / (2 n ln 2) bits, so compare it with that of the
    same number of real faces.

    Raises:
        ValueError: other types or shapes, labels out of range.
    """
    return np.array([_entropy(share) for share in _distributions("labels", labels, counts)])


def total_variation(real_labels: ArrayLike, fake_labels: ArrayLike, counts: Sequence[int]) -> np.ndarray:
    """Half the sum of |real share - sample share| of each attribute's values, float64 `(attributes,)`.

    In [0, 1]: the share of the samples that would have to change their value; symmetric. If the attribute
    never applies in one set, the distance is 1; if it never applies in either, it is 0. Real faces do not get
    0 but about sqrt(values / n), so compare with the same number of real faces.

    Raises:
        ValueError: other types or shapes, labels out of range.
    """
    real = _distributions("real_labels", real_labels, counts)
    fake = _distributions("fake_labels", fake_labels, counts)
    return np.array([_variation(a, b) for a, b in zip(real, fake, strict=True)])


def distinct_combinations(labels: ArrayLike) -> int:
    """Number of different rows: faces that differ in at least one attribute, where -1 counts as a value.

    At most n. Real faces with many attributes get nearly n, so compare with the same number of them.

    Raises:
        ValueError: other types or shapes.
    """
    return len(np.unique(as_labels("labels", labels), axis=0))


def share_confident(confidences: ArrayLike, threshold: float, applies: ArrayLike | None = None) -> float:
    """Share of faces on which every attribute is recognised with at least `threshold` confidence, in [0, 1].

    Args:
        confidences: probability of the predicted label, floats in [0, 1], `(n, attributes)`.
        threshold: in [0, 1].
        applies: which attributes count, bool `(n, attributes)`; None: all. A face on which none counts is
            counted as confident.

    Raises:
        ValueError: other types or shapes, numbers out of range.
    """
    array = np.asarray(confidences)
    if array.ndim != 2 or not len(array) or not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            "confidences must be floats of shape (n, attributes), n >= 1, "
            f"got {array.dtype} of shape {array.shape}"
        )
    if not ((array >= 0) & (array <= 1)).all() or not 0 <= threshold <= 1:
        raise ValueError("confidences and threshold must be in [0, 1]")
    counted = np.ones(array.shape, bool) if applies is None else np.asarray(applies)
    if counted.shape != array.shape or counted.dtype != bool:
        raise ValueError(
            f"applies must be bool of shape {array.shape}, got {counted.dtype} of shape {counted.shape}"
        )
    return float(((array >= threshold) | ~counted).all(axis=1).mean())


def _counts(counts: Sequence[int]) -> np.ndarray:
    array = np.asarray(counts)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer) or not (array > 0).all():
        raise ValueError(f"counts must be positive whole numbers, one for each attribute, got {counts!r}")
    return array


def _tallies(name: str, labels: ArrayLike, counts: Sequence[int]) -> tuple[list[np.ndarray], int]:
    """The number of faces with each value of each attribute, and the number of all faces."""
    sizes = _counts(counts)
    array = as_labels(name, labels, sizes)
    columns = zip(array.T, sizes, strict=True)
    return [np.bincount(column[column >= 0], minlength=size) for column, size in columns], len(array)


def _frequencies(
    real_labels: ArrayLike, fake_labels: ArrayLike, counts: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of real faces and of samples that have each value; the attributes' values are concatenated."""
    real, n = _tallies("real_labels", real_labels, counts)
    fake, m = _tallies("fake_labels", fake_labels, counts)
    return np.concatenate(real) / n, np.concatenate(fake) / m


def _positions(counts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Attribute and value of each entry of `_frequencies`."""
    sizes = _counts(counts)
    attribute = np.repeat(np.arange(len(sizes)), sizes)
    return attribute, np.concatenate([np.arange(size) for size in sizes])


def _distributions(name: str, labels: ArrayLike, counts: Sequence[int]) -> list[np.ndarray]:
    """Shares of each attribute's values among the faces to which it applies; zeros if there are none."""
    return [tally / max(tally.sum(), 1) for tally in _tallies(name, labels, counts)[0]]


def _entropy(share: np.ndarray) -> float:
    present = share[share > 0]
    return float(-(present * np.log2(present)).sum()) if len(present) > 1 else 0.0


def _variation(a: np.ndarray, b: np.ndarray) -> float:
    applies = a.any(), b.any()
    return float(np.abs(a - b).sum() / 2) if all(applies) else float(any(applies))
