"""All measures for points: generated points compared with real ones, and real points with other real ones.

The second comparison shows what a perfect sampler would get.
"""

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
REPEATS = 10  # pairs of sets of real points that are compared

COMPARED = 5000  # at most so many points of each set are compared in pairs: the time grows with the square
SORTED = 100_000  # and at most so many are projected and sorted


class Gaussians(Protocol):
    """A mixture of isotropic Gaussians, such as `ganjax.datasets.toy.Mixture`."""

    @property
    def centers(self) -> np.ndarray: ...
    @property
    def sigma(self) -> float: ...
    @property
    def weights(self) -> np.ndarray: ...


class PerfectScores(NamedTuple):
    """What a perfect sampler gets, by the name of the measure: mean and standard deviation between sets."""

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
    """Measure samples against real points.

    `modes` gives the fields of `metrics.ModeScores` if the real distribution is a mixture. `energy` gives
    `energy_distance` and `energy_p`; `mmd` gives `mmd` and `mmd_p` with the median distance as bandwidth.
    `sliced_wasserstein` gives one value, `precision_recall` and `density_coverage` give two each.

    Args:
        samples: `(n, d)` float32.
        real: `(n, d)` float32, points that the generator was not trained on. Pairs are compared among the
            first `COMPARED` points of both sets, projections among the first `SORTED`. Modes are those of all
            samples.
        mixture: the real distribution, if it is a mixture.
        key: PRNG key for directions, permutations and the subset that gives the bandwidth.
        permutations: of the two tests.
        measures: which of `MEASURES`.

    Returns:
        The values by name, in the order of `MEASURES`. NaN where there is no value: the width of modes that
        have no sample, and everything except modes and p-values if some samples are not finite.

    Raises:
        ValueError: shapes differ, or there is no such measure.

    Cost: 3 s for n = 2500 points in the plane on one core, most of it for the two tests; `modes` alone takes
    milliseconds.
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
) -> PerfectScores:
    """What `evaluate_points` gives for real samples: mean and deviation over pairs of sets of n points.

    p-values are not measured: for real points they are uniform, with a mean of 1/2.

    Args:
        sample: `(key, 2n) -> (2n, d)` real points.
        n: points in each set.
        mixture, key, measures: as for `evaluate_points`.
        repeats: number of pairs, at least 2.

    Cost: one second a pair for n = 2500 points in the plane on one core.
    """
    found = []
    for each in jax.random.split(key, repeats):
        sample_key, measure_key = jax.random.split(each)
        both = np.asarray(sample(sample_key, 2 * n))
        found.append(
            evaluate_points(
                both[:n], both[n:], mixture=mixture, key=measure_key, permutations=1, measures=measures
            )
        )
    mean, deviation = {}, {}
    for name in found[0]:
        uniform = name.endswith("_p")
        values = np.array([each[name] for each in found])
        mean[name] = 0.5 if uniform else float(values.mean())
        deviation[name] = math.sqrt(1 / 12) if uniform else float(values.std(ddof=1))
    return PerfectScores(mean, deviation)


def point_scores(found: Mapping[str, float], perfect: PerfectScores) -> Iterator[Score]:
    """The results of `evaluate_points` and `perfect_points` as scores, each value with its floor."""
    for name, value in found.items():
        label, better, about = _DESCRIPTIONS[name]
        floor, deviation = perfect.mean[name], perfect.deviation[name]
        yield Score(name, label, value, floor, better, about, "the points", deviation)


_DESCRIPTIONS: dict[str, tuple[str, Better, str]] = {  # label, which direction is better, meaning
    "captured": ("modes captured", "higher", "Modes with a sample within 3 standard deviations."),
    "high_quality": (
        "high-quality share",
        "equal",
        "Share of the samples within 3 standard deviations of a mode; more than real samples get means that "
        "the samples are too concentrated.",
    ),
    "reverse_kl": (
        "reverse KL, nats",
        "lower",
        "How far the shares of the modes among high-quality samples are from their weights.",
    ),
    "deviation": (
        "width of modes, all samples",
        "equal",
        "Standard deviation within modes over the true one; large if samples lie between modes.",
    ),
    "deviation_high_quality": (
        "width of modes, high quality",
        "equal",
        "The same for high-quality samples; less than real samples get means that they are too concentrated.",
    ),
    "weights_p": (
        "weights of modes, p",
        "higher",
        "Chi-square p-value: below .05, the shares of the modes differ from their weights.",
    ),
    "energy_distance": ("energy distance", "lower", "How far the samples are from real points."),
    "energy_p": (
        "energy test, p",
        "higher",
        "p-value: below .05, the test tells the samples from real points.",
    ),
    "mmd": (
        "MMD^2",
        "lower",
        "How far the samples are from real points, by a Gaussian kernel of median width.",
    ),
    "mmd_p": ("MMD test, p", "higher", "p-value: below .05, this test tells the samples from real points."),
    "sliced_wasserstein": (
        "sliced Wasserstein-1",
        "lower",
        "How far samples would have to move along a direction, averaged over random directions.",
    ),
    "precision": (
        "precision",
        "higher",
        "Share of the samples that are as close to a real point as its nearest real neighbours are.",
    ),
    "recall": (
        "recall",
        "higher",
        "Share of the real points that are as close to a sample as its nearest other samples are.",
    ),
    "density": ("density", "equal", "How dense the samples are where real points are."),
    "coverage": (
        "coverage",
        "higher",
        "Share of the real points with a sample among their nearest neighbours.",
    ),
}
