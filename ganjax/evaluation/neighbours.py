"""A picture of samples beside the training pictures that are most like them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ganjax import metrics, viewing

ROWS, COLUMNS = 12, 3  # samples, and neighbours of each
LOOKED_AT = 256  # samples among which those nearest to a training picture are chosen


def save_neighbours(path: Path, samples: np.ndarray, training: np.ndarray) -> None:
    """Save a picture: in each row a sample, and the training pictures nearest to it by their pixels.

    Shown are, of the first 256 samples, the dozen that are nearest to a training picture: copies, if there
    are any. The numbers are distances to the nearest, Euclidean in pixels of [-1, 1].

    Args:
        path: where to; its folder is made.
        samples: uint8 (n, size, size, channels).
        training: uint8 (m, size, size, channels), at least three.
    """
    found = metrics.nearest(samples[:LOOKED_AT], training)
    rows = np.argsort(found.distances, kind="stable")[:ROWS]
    sheet = np.stack([[samples[row], *training[_nearest_few(samples[row], training)]] for row in rows])
    path.parent.mkdir(exist_ok=True)
    labels = [f"{distance:.1f}" for distance in found.distances[rows]]
    columns = ["sample", *(f"training {i}" for i in range(1, COLUMNS + 1))]
    scale = max(1, 128 // sheet.shape[2])  # pixels stay squares
    viewing.save_image(path, viewing.labelled_grid(sheet, labels, columns, scale=scale))


def _nearest_few(sample: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Indices of the nearest `COLUMNS` training pictures, the nearest first."""
    squares = np.zeros(len(training), np.int64)
    for start in range(0, len(training), 1024):
        difference = training[start : start + 1024].astype(np.int32) - sample
        squares[start : start + 1024] = (difference**2).sum(axis=(1, 2, 3))
    return np.argsort(squares, kind="stable")[:COLUMNS]
