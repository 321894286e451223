"""Nearest training pictures, and whether samples are nearer to them than they ought to be."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from ganjax.metrics.inputs import as_samples, check_number

_CANDIDATES = 4  # of each query: how many references are measured again, precisely
_PRECISE = 8  # queries measured again at a time: what fits a processor's cache


class Neighbours(NamedTuple):
    """What `nearest` finds: `indices` into the references, int64 `(n,)`, and `distances`, float64 `(n,)`."""

    indices: np.ndarray
    distances: np.ndarray


class Memorisation(NamedTuple):
    """What `memorisation` finds.

    Attributes:
        z: Mann-Whitney's z of distances to the nearest training picture, samples against held-out real
            pictures. About 0 where samples are as far away as fresh real pictures (standard deviation 1 over
            draws of both); below -3 nearer, which copying explains, or blur; above 3 further, which is no
            copying on the whole, but poor quality.
        share_closer: share of samples at most as far from training as the nearest 1 % of the held-out
            pictures: about .01 where nothing is copied; more when some samples are copies, whatever the rest.
        share_prefers_training: share of samples whose nearest training picture is nearer than their nearest
            held-out picture, ties as halves. Blur brings samples nearer to both alike, copying only to one.
        expected_preference: what that share is where nothing is copied: training / (training + held-out).
        sample_median: median distance of a sample to its nearest training picture.
        held_out_median: the same of a held-out real picture.
    """

    z: float
    share_closer: float
    share_prefers_training: float
    expected_preference: float
    sample_median: float
    held_out_median: float


def nearest(queries: ArrayLike, references: ArrayLike, *, block: int = 2048) -> Neighbours:
    """The Euclidean nearest reference of every query.

    Every pair is compared in float32; the nearest few are then measured in float64 from their differences.
    So a distance is exact for the reference named, a copy has distance 0, and another reference can be nearer
    only by what float32 rounds: about one grey level of a few pixels.

    Args:
        queries: `(n, ...)`, uint8 pictures, taken for pixels in [-1, 1], or floats.
        references: `(m, ...)`, the same sample shape; of several at one distance, one of them is found.
        block: how many queries and references at a time; matters for memory and speed only.

    Raises:
        ValueError: other types or shapes, different sample shapes, none at all, NaN or infinity.

    Cost: n * m * d, in float32.
    """
    a, b = as_samples("queries", queries), as_samples("references", references)
    _check_shapes("queries", np.shape(queries), "references", np.shape(references))
    check_number("block", block, 1, 100_000, "how many at a time")
    return _nearest(a, b, block)


def memorisation(
    samples: ArrayLike, training: ArrayLike, held_out: ArrayLike, *, block: int = 2048
) -> Memorisation:
    """Are samples nearer to the training pictures than fresh real pictures are?

    The data-copying test of Meehan et al. 2020, section 3.1, https://arxiv.org/abs/2004.05675, in one cell
    (the whole space), and a comparison of two references beside it. Strongly negative z: samples lie closer
    to training pictures than real ones do. Distances between pixels favour smooth pictures, so a blurred
    generator also scores below 0; it then prefers training no more than expected, and a copying one does.

    Args:
        samples: `(n, ...)`, uint8 pictures or floats in [-1, 1]; or features.
        training: `(m, ...)`: what the generator was trained on. A part of it finds only what copies the part.
        held_out: `(h, ...)`: real pictures it was not trained on. Those which are equal to a training picture
            make copies harder to tell.
        block: how many pictures at a time; matters for memory and speed only.

    Raises:
        ValueError: other types or shapes, different sample shapes, fewer than 2, NaN or infinity.

    Cost: (n * m + h * m + n * h) * d, in float32: a few thousand samples and held-out pictures against all
    of the training set tell as much, and sooner.
    """
    fake = as_samples("samples", samples, at_least=2)
    seen = as_samples("training", training, at_least=2)
    fresh = as_samples("held_out", held_out, at_least=2)
    for name, given in (("training", training), ("held_out", held_out)):
        _check_shapes("samples", np.shape(samples), name, np.shape(given))
    check_number("block", block, 1, 100_000, "how many at a time")
    ours = _nearest(fake, seen, block).distances
    theirs = _nearest(fresh, seen, block).distances
    other = _nearest(fake, fresh, block).distances
    return Memorisation(
        z=mann_whitney(ours, theirs),
        share_closer=float((ours <= np.quantile(theirs, 0.01)).mean()),
        share_prefers_training=float((ours < other).mean() + (ours == other).mean() / 2),
        expected_preference=len(seen) / (len(seen) + len(fresh)),
        sample_median=float(np.median(ours)),
        held_out_median=float(np.median(theirs)),
    )


def mann_whitney(a: np.ndarray, b: np.ndarray) -> float:
    """z of Mann and Whitney's U, the number of pairs in which a is above b: negative where a is mostly below.

    Ties count as halves and lessen the variance; 0 where all values are equal. a `(n,)`, b `(m,)`, finite.
    """
    together, place, count = np.unique(np.concatenate([a, b]), return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    n, m = len(a), len(b)
    above = rank[:n].sum() - n * (n + 1) / 2
    size = float(n + m)
    ties = (count.astype(np.float64) ** 3 - count).sum() / (size * (size - 1))
    variance = n * m / 12 * (size + 1 - ties)
    return float((above - n * m / 2) / np.sqrt(variance)) if len(together) > 1 else 0.0


def _check_shapes(name: str, shape: tuple[int, ...], other: str, other_shape: tuple[int, ...]) -> None:
    if shape[1:] != other_shape[1:]:
        raise ValueError(
            f"{name} and {other} must hold samples of one shape, got {shape[1:]} and {other_shape[1:]}"
        )


def _nearest(queries: np.ndarray, references: np.ndarray, block: int) -> Neighbours:
    # About the middle of the references, where products are small and their differences precise.
    center = _middle(references, block)
    found = [
        _measured(rows, references, _candidates(rows, references, center, block))
        for rows in (queries[i : i + block] for i in range(0, len(queries), block))
    ]
    indices, distances = map(np.concatenate, zip(*found, strict=True))
    return Neighbours(indices, distances)


def _middle(samples: np.ndarray, block: int) -> np.ndarray:
    parts = (samples[i : i + block] for i in range(0, len(samples), block))
    total = sum(_floats(part).sum(axis=0, dtype=np.float64) for part in parts)
    return np.asarray(total / len(samples), np.float32)


def _candidates(queries: np.ndarray, references: np.ndarray, center: np.ndarray, block: int) -> np.ndarray:
    """Indices `(len(queries), _CANDIDATES)`, rising, of the references that are nearest in float32."""
    here = _floats(queries) - center
    scores, indices = [], []
    for start in range(0, len(references), block):
        there = _floats(references[start : start + block]) - center
        score, index = _smallest_scores(here, there, np.square(there).sum(axis=1))
        scores.append(np.asarray(score))
        indices.append(np.asarray(index, np.int64) + start)
    score, index = np.concatenate(scores, axis=1), np.concatenate(indices, axis=1)
    few = min(_CANDIDATES, score.shape[1])
    best = np.argpartition(score, few - 1, axis=1)[:, :few]
    return np.sort(np.take_along_axis(index, best, axis=1), axis=1)


@jax.jit
def _smallest_scores(here: jax.Array, there: jax.Array, lengths: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Scores and indices, `(len(here), few)`: squared distances less a query's own length, the same for all.

    `lengths`, the squared ones of `there`, come from outside: computed here, XLA takes them for a reason to
    write the product as a loop of its own, seven times slower.
    """
    score = lengths[None, :] - 2 * jnp.matmul(here, there.T, precision=jax.lax.Precision.HIGHEST)
    negative, index = jax.lax.top_k(-score, min(_CANDIDATES, len(there)))
    return -negative, index


def _measured(
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
    """float32; a picture's uint8 as pixels in [-1, 1]."""
    return samples * np.float32(1 / 127.5) - np.float32(1) if samples.dtype == np.uint8 else samples
