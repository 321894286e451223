"""Every measure of points: samples against real ones, and what a perfect sampler gets, real against real."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ganjax import metrics
from ganjax.evaluation.scores import Better, Score

MEASURES = ("modes", "energy", "mmd", "sliced_wasserstein", "precision_recall", "density_coverage")
REPEATS = 10  # sets of real points that stand for a perfect sampler

COMPARED = 5000  # points of each set that are compared pair by pair: the time goes with their square
SORTED = 100_000  # and of which projections are sorted


class Gaussians(Protocol):
    """A mixture of round Gaussians, such as `ganjax.datasets.toy.Mixture`."""

    @property
    def centers(self) -> np.ndarray: ...
    @property
    def sigma(self) -> float: ...
    @property
    def weights(self) -> np.ndarray: ...


class Floor(NamedTuple):
    """Measures of a perfect sampler, by name: their mean and the standard deviation of one set's."""

    mean: dict[str, float]
    deviation: dict[str, float]


_mode_scores = jax.jit(metrics.mode_scores)


def evaluate_points(
    samples: Any,
    real: Any,
    *,
    mixture: Gaussians | None = None,
    key: jax.Array,
    permutations: int = 500,
    measures: Sequence[str] = MEASURES,
) -> dict[str, float]:
    """Measures of samples by name, in the order of `MEASURES`.

    `modes` gives the fields of `metrics.ModeScores`, where the real distribution is a mixture; `energy` gives
    `energy_distance` and `energy_p`; `mmd`, with the median distance for a bandwidth, `mmd` and `mmd_p`;
    `sliced_wasserstein` itself; `precision_recall` and `density_coverage` two each. What has no value is NaN:
    the width of modes that were never hit, and all but modes and p-values where samples are not all finite.

    Args:
        samples: `(n, d)` float32.
        real: `(n, d)` float32, fresh. Pairs are compared among the first `COMPARED` of both sets, projections
            among the first `SORTED`, modes of all samples.
        mixture: the real distribution, if it is one.
        key: PRNG key of directions, permutations and the bandwidth's subset.
        permutations: of the two tests.
        measures: which of `MEASURES`.

    Raises:
        ValueError: shapes differ, or there is no such measure.

    Cost: of n = 2500 in the plane 3 s on one core, most of it the two tests; `modes` alone milliseconds.
    """
    samples, real = np.asarray(samples, np.float32), np.asarray(real, np.float32)
    if samples.shape != real.shape or samples.ndim != 2:
        raise ValueError(f"samples and real must have one shape (n, d), got {samples.shape} and {real.shape}")
    if odd := [name for name in measures if name not in MEASURES]:
        raise ValueError(f"there is no measure {odd[0]!r}: choose among {', '.join(MEASURES)}")
    energy_key, mmd_key, sliced_key = jax.random.split(key, 3)
    few = samples[:COMPARED], real[:COMPARED]
    finite = bool(np.isfinite(samples).all())
    found: dict[str, Any] = {}
    if "modes" in measures and mixture is not None:
        centers, weights = jnp.asarray(mixture.centers), jnp.asarray(mixture.weights)
        found |= _mode_scores(samples, centers, mixture.sigma, weights)._asdict()
    if "energy" in measures:
        test = metrics.energy_test(*few, key=energy_key, permutations=permutations)
        found |= {"energy_distance": test.statistic, "energy_p": test.p_value}
    if "mmd" in measures:
        test = metrics.mmd_test(*few, key=mmd_key, permutations=permutations)
        found |= {"mmd": test.statistic, "mmd_p": test.p_value}
    if "sliced_wasserstein" in measures:
        value = (
            metrics.sliced_wasserstein_1(samples[:SORTED], real[:SORTED], key=sliced_key) if finite else None
        )
        found["sliced_wasserstein"] = value
    for name, score in (
        ("precision_recall", metrics.precision_recall),
        ("density_coverage", metrics.density_coverage),
    ):
        if name in measures:
            values = score(few[1], few[0]) if finite else (None, None)
            found |= dict(zip(name.split("_"), values, strict=True))
    return {name: math.nan if value is None else float(value) for name, value in found.items()}


def perfect_points(
    sample: Callable[[jax.Array, int], Any],
    n: int,
    *,
    mixture: Gaussians | None = None,
    key: jax.Array,
    measures: Sequence[str] = MEASURES,
    repeats: int = REPEATS,
) -> Floor:
    """What `evaluate_points` gives on average where samples are real: from fresh pairs of sets of n points.

    p-values are not measured: they are uniform for real points, with a mean of 1/2.

    Args:
        sample: `(key, 2n) -> (2n, d)` real points.
        n: points in a set.
        mixture, key, measures: as for `evaluate_points`.
        repeats: how many pairs; at least 2.

    Cost: of n = 2500 in the plane a second a pair on one core.
    """
    found = []
    for each in jax.random.split(key, repeats):
        key_points, key_own = jax.random.split(each)
        both = np.asarray(sample(key_points, 2 * n))
        found.append(
            evaluate_points(
                both[:n], both[n:], mixture=mixture, key=key_own, permutations=1, measures=measures
            )
        )
    mean, deviation = {}, {}
    for name in found[0]:
        uniform = name.endswith("_p")
        values = np.array([each[name] for each in found])
        mean[name] = 0.5 if uniform else float(values.mean())
        deviation[name] = math.sqrt(1 / 12) if uniform else float(values.std(ddof=1))
    return Floor(mean, deviation)


_SAID: dict[str, tuple[str, Better, str]] = {  # label, which is better, and what it means
    "captured": ("modes captured", "higher", "Modes with a sample within 3 standard deviations."),
    "high_quality": (
        "high-quality share",
        "equal",
        "Share of the samples within 3 standard deviations of a mode; more than the floor: too concentrated.",
    ),
    "reverse_kl": (
        "reverse KL, nats",
        "lower",
        "How far the shares of the modes among high-quality samples are from their weights.",
    ),
    "deviation": (
        "width of modes, all samples",
        "equal",
        "Standard deviation within modes over the true one; large where samples lie between modes.",
    ),
    "deviation_high_quality": (
        "width of modes, high quality",
        "equal",
        "The same of high-quality samples; less than the floor: too concentrated.",
    ),
    "weights_p": (
        "weights of modes, p",
        "higher",
        "Chi-square p-value: below .05, the modes' shares are not their weights.",
    ),
    "energy_distance": ("energy distance", "lower", "How far the samples are from real ones."),
    "energy_p": ("energy test, p", "higher", "Below .05, samples can be told from real ones."),
    "mmd": ("MMD^2", "lower", "How far the samples are from real ones by a Gaussian kernel of median width."),
    "mmd_p": ("MMD test, p", "higher", "Below .05, samples can be told from real ones by that kernel."),
    "sliced_wasserstein": (
        "sliced Wasserstein-1",
        "lower",
        "How far samples would have to move, seen along all directions.",
    ),
    "precision": ("precision", "higher", "Share of the samples that lie among real points."),
    "recall": ("recall", "higher", "Share of the real points that lie among samples."),
    "density": ("density", "equal", "How densely samples lie where real points are."),
    "coverage": ("coverage", "higher", "Share of the real points with a sample among their nearest."),
}


def point_scores(found: Mapping[str, float], floor: Floor) -> Iterator[Score]:
    """What `evaluate_points` and `perfect_points` found, beside one another."""
    for name, value in found.items():
        label, better, about = _SAID[name]
        yield Score(name, label, value, floor.mean[name], better, about, "the points", floor.deviation[name])
