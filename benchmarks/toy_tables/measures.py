"""What a table says of one run: measures of its samples against the landscape."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax import metrics
from ganjax.experiments import LANDSCAPES


class Keys(NamedTuple):
    """What a run draws from: `init`, `data` and `score` are those of `ganjax train --seed`.

    Attributes:
        init: initial weights.
        data: batches.
        score: the latents of the samples that are measured.
        real: the real samples they are compared with.
        test: permutations.
        perfect: what a perfect sampler gives.
    """

    init: jax.Array
    data: jax.Array
    score: jax.Array
    real: jax.Array
    test: jax.Array
    perfect: jax.Array


def keys(seed: int) -> Keys:
    """All keys of one seed."""
    init, data, _, score = jax.random.split(jax.random.key(seed), 4)
    return Keys(init, data, score, *(jax.random.fold_in(score, i) for i in (1, 2, 3)))


@functools.cache
def landscape_of(name: str) -> Any:
    """The experiment that is this landscape: its `mixture`, `sample` and `extent`."""
    return LANDSCAPES[name]()


def of_file(landscape: str, seed: int, file: str) -> dict[str, float | None]:
    """The measures of the samples in a run's file."""
    with np.load(file, allow_pickle=False) as arrays:
        return of_samples(landscape, seed, arrays["samples"])


def of_samples(landscape: str, seed: int, samples: np.ndarray) -> dict[str, float | None]:
    """By name, JSON values; None for what is not a number or where the landscape has no modes.

    `modes` (how many there are), the fields of `metrics.ModeScores`, and `energy` and `energy_p`: statistic
    and p-value of the energy test against as many fresh real points.

    Args:
        landscape: its name.
        seed: of the run; real points and permutations follow from it.
        samples: float32 `(n, dim)`.
    """
    place, key = landscape_of(landscape), keys(seed)
    found: dict[str, Any] = dict.fromkeys(("modes", *metrics.ModeScores._fields))
    if place.mixture is not None:
        mixture = place.mixture
        scores = _mode_scores(jnp.asarray(samples), mixture.centers, mixture.sigma, mixture.weights)
        found |= {"modes": len(mixture.centers), **scores._asdict()}
    test = metrics.energy_test(jnp.asarray(samples), place.sample(key.real, len(samples)), key=key.test)
    found |= {"energy": test.statistic, "energy_p": test.p_value}
    return {name: _number(value) for name, value in found.items()}


_mode_scores = jax.jit(metrics.mode_scores)


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
