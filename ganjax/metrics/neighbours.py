"""Nearest training pictures, and whether samples are closer to them than real pictures are."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from ganjax.metrics.inputs import as_samples, check_number

_CANDIDATES = 4  # references for each query whose distance is computed again in float64
_PRECISE = 8  # queries for which this is done at a time, so that they fit into the processor's cache


class Neighbours(NamedTuple):
    """The result of `nearest`: `indices` of references, int64 `(n,)`, and `distances`, float64 `(n,)`."""

    indices: np.ndarray
    distances: np.ndarray


class Memorisation(NamedTuple):
    """The result of `memorisation`.

    Attributes:
        z: Mann-Whitney z of the distances to the nearest training picture, samples against held-out real
            pictures. About 0 if samples are as far away as held-out pictures (standard deviation 1 between
            draws). Below -3 they are closer, because of copying or blur; above 3 they are further away, which
            means poor quality and little copying.
        share_closer: share of samples as close to a training picture as the closest 1 % of the held-out
            pictures: about .01 without copying, and more if some samples are copies, whatever the others are.
        share_prefers_training: share of samples whose nearest training picture is closer than their nearest
            held-out picture; ties count half. Blur brings samples closer to both sets, copying to one only.
        expected_preference: that share without copying: training / (training + held-out).
        sample_median: median distance of samples to their nearest training picture.
        held_out_median: the same for held-out real pictures.
    """

    z: float
    share_closer: float
    share_prefers_training: float
    expected_preference: float
    sample_median: float
    held_out_median: float


def nearest(queries: ArrayLike, references: ArrayLike, *, block: int = 2048) -> Neighbours:
    """The reference with the smallest Euclidean distance to each query.

    All pairs are compared in float32; the distances of the nearest few are then computed again in float64. So
    the distance to the reference found is exact, and that of a copy is 0. Another reference can only be
    closer by the rounding error of float32: about one grey level in a few pixels.

    Args:
        queries: `(n, ...)`, uint8 pictures, which are scaled to [-1, 1], or floats.
        references: `(m, ...)` with the same sample shape; of several at the same distance one is found.
        block: queries and references compared at a time; affects memory and speed only.

    Raises:
        ValueError: other types or shapes, different sample shapes, no samples, NaN or infinity.

    Cost: n * m * d operations in float32.
    """
    a, b = as_samples("queries", queries), as_samples("references", references)
    _check_shapes("queries", np.shape(queries), "references", np.shape(references))
    check_number("block", block, 1, 100_000, "samples at a time")
    return _nearest(a, b, block)


def memorisation(
    samples: ArrayLike, training: ArrayLike, held_out: ArrayLike, *, block: int = 2048
) -> Memorisation:
    """Whether samples are closer to the training pictures than held-out real pictures are.

    The data-copying test of Meehan et al. 2020, section 3.1, https://arxiv.org/abs/2004.05675, with a single
    cell (the whole space), and a comparison of the distances to training and to held-out pictures. A strongly
    negative z means that samples are closer to training pictures than real ones are. Distances between pixels
    are small for smooth pictures, so blurred samples also get a z below 0; but then they are closer to the
    training than to the held-out pictures only as often as expected, while copies are so more often.

    Args:
        samples: `(n, ...)`, uint8 pictures or floats in [-1, 1]; or features.
        training: `(m, ...)`, what the generator was trained on. With a part of it, only copies of that part
            are found.
        held_out: `(h, ...)`, real pictures that the generator was not trained on. Pictures that are also in
            the training set make copies harder to detect.
        block: pictures compared at a time; affects memory and speed only.

    Raises:
        ValueError: other types or shapes, different sample shapes, fewer than 2 samples, NaN or infinity.

    Cost: (n * m + h * m + n * h) * d operations in float32. A few thousand samples and held-out pictures
    compared with the whole training set are enough.
    """
    fake = as_samples("samples", samples, at_least=2)
    known = as_samples("training", training, at_least=2)
    fresh = as_samples("held_out", held_out, at_least=2)
    for name, given in (("training", training), ("held_out", held_out)):
        _check_shapes("samples", np.shape(samples), name, np.shape(given))
    check_number("block", block, 1, 100_000, "samples at a time")
    fake_to_training = _nearest(fake, known, block).distances
    fresh_to_training = _nearest(fresh, known, block).distances
    fake_to_fresh = _nearest(fake, fresh, block).distances
    closer, equal = fake_to_training < fake_to_fresh, fake_to_training == fake_to_fresh
    return Memorisation(
        z=mann_whitney(fake_to_training, fresh_to_training),
        share_closer=float((fake_to_training <= np.quantile(fresh_to_training, 0.01)).mean()),
        share_prefers_training=float(closer.mean() + equal.mean() / 2),
        expected_preference=len(known) / (len(known) + len(fresh)),
        sample_median=float(np.median(fake_to_training)),
        held_out_median=float(np.median(fresh_to_training)),
    )


def mann_whitney(a: np.ndarray, b: np.ndarray) -> float:
    """z of the Mann-Whitney U, the number of pairs with a > b: negative if values of a are mostly smaller.

    Ties count half and reduce the variance; 0 if all values are equal.

    Args:
        a: `(n,)`, finite.
        b: `(m,)`, finite.
    """
    together, index, count = np.unique(np.concatenate([a, b]), return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[index]
    n, m = len(a), len(b)
    above = rank[:n].sum() - n * (n + 1) / 2
    size = float(n + m)
    ties = (count.astype(np.float64) ** 3 - count).sum() / (size * (size - 1))
    variance = n * m / 12 * (size + 1 - ties)
    return float((above - n * m / 2) / np.sqrt(variance)) if len(together) > 1 else 0.0


def _check_shapes(name: str, shape: tuple[int, ...], other: str, other_shape: tuple[int, ...]) -> None:
    if shape[1:] != other_shape[1:]:
        raise ValueError(
            f"samples in {name} and {other} must have the same shape, got {shape[1:]} and {other_shape[1:]}"
        )


def _nearest(queries: np.ndarray, references: np.ndarray, block: int) -> Neighbours:
    # Relative to the mean of the references: with shorter vectors, float32 is more precise.
    center = _mean(references, block)
    found = [
        _nearest_candidate(rows, references, _candidates(rows, references, center, block))
        for rows in (queries[i : i + block] for i in range(0, len(queries), block))
    ]
    indices, distances = map(np.concatenate, zip(*found, strict=True))
    return Neighbours(indices, distances)


def _mean(samples: np.ndarray, block: int) -> np.ndarray:
    parts = (samples[i : i + block] for i in range(0, len(samples), block))
    total = sum(_floats(part).sum(axis=0, dtype=np.float64) for part in parts)
    return np.asarray(total / len(samples), np.float32)


def _candidates(queries: np.ndarray, references: np.ndarray, center: np.ndarray, block: int) -> np.ndarray:
    """Ascending indices `(len(queries), _CANDIDATES)` of the references that are nearest in float32."""
    a = _floats(queries) - center
    scores, indices = [], []
    for start in range(0, len(references), block):
        b = _floats(references[start : start + block]) - center
        score, index = _smallest_scores(a, b, np.square(b).sum(axis=1))
        scores.append(np.asarray(score))
        indices.append(np.asarray(index, np.int64) + start)
    score, index = np.concatenate(scores, axis=1), np.concatenate(indices, axis=1)
    few = min(_CANDIDATES, score.shape[1])
    best = np.argpartition(score, few - 1, axis=1)[:, :few]
    return np.sort(np.take_along_axis(index, best, axis=1), axis=1)


@jax.jit
def _smallest_scores(a: jax.Array, b: jax.Array, squares: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The smallest scores |b|^2 - 2 a.b for each a, and their indices, `(len(a), candidates)`.

    A score is the squared distance minus |a|^2, which is the same for all b. `squares`, the values of |b|^2,
    is an argument because XLA would otherwise fuse its computation with the product, which is then 7 times
    slower.
    """
    score = squares[None, :] - 2 * jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)
    negative, index = jax.lax.top_k(-score, min(_CANDIDATES, len(b)))
    return -negative, index


def _nearest_candidate(
    queries: np.ndarray, references: np.ndarray, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of each query's candidates, and its distance in float64."""
    distances = np.empty(candidates.shape)
    for first in range(0, len(queries), _PRECISE):
        rows = slice(first, first + _PRECISE)
        difference = _floats(references[candidates[rows]]).astype(np.float64)
        difference -= _floats(queries[rows])[:, None]
        distances[rows] = np.sqrt(np.square(difference, out=difference).sum(axis=2))
    best = distances.argmin(axis=1)[:, None]
    return np.take_along_axis(candidates, best, 1)[:, 0], np.take_along_axis(distances, best, 1)[:, 0]


def _floats(samples: np.ndarray) -> np.ndarray:
    """Samples as float32; uint8 pixels are scaled to [-1, 1]."""
    return samples * np.float32(1 / 127.5) - np.float32(1) if samples.dtype == np.uint8 else samples
