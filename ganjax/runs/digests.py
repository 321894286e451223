"""How two runs are compared: by digests of the state and by a few of its values, at fixed steps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

VALUES = 64  # at most so many values of each array are in a witness


def next_digest_step(step: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, 100, ... that is greater than `step`."""
    power = 1
    while True:
        for leading in (1, 2, 5):
            if leading * power > step:
                return leading * power
        power *= 10


def is_digest_step(step: int) -> bool:
    """Whether a run records its digest at `step`: 0, 1, 2, 5, 10, 20, 50, 100, ..."""
    return step == 0 or next_digest_step(step - 1) == step


def witness(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """A few values of each array, evenly spaced: float32 `(len(arrays), VALUES)`, padded with NaN.

    A digest says that two states differ; a witness says in which arrays, and by how much.
    """
    rows = np.full((len(arrays), VALUES), np.nan, np.float32)
    for row, array in zip(rows, arrays.values(), strict=True):
        flat = array.reshape(-1)
        count = min(len(flat), VALUES)
        row[:count] = flat[np.linspace(0, len(flat) - 1, count).astype(int)]
    return rows


def relative_differences(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Relative difference of two witnesses `(leaves, VALUES)` for each leaf: float64 `(leaves,)`, at least 0.

    max|a - b| / max|b| over the values of a leaf; infinite if only one of the two is finite or b is 0.
    """
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    padding = np.isnan(a) & np.isnan(b)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.where(padding | (a == b), 0.0, np.abs(a - b))
        largest = np.max(np.where(np.isfinite(difference), difference, np.inf), axis=1, initial=0.0)
        scale = np.max(np.where(padding, 0.0, np.abs(b)), axis=1, initial=0.0)
        return np.where(largest == 0, 0.0, largest / scale)
