"""The measures of one run: its samples compared with the real distribution."""

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
    """The PRNG keys of a run; `init`, `data` and `score` are those of `ganjax train --seed`.

    Attributes:
        init: of initial weights.
        data: of batches.
        score: of the latents of the measured samples.
        real: of the real samples with which these are compared.
        test: of the permutations of the energy test.
        perfect: of the samples of a perfect sampler.
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
    """The experiment with this real distribution: it has `mixture`, `sample` and `extent`."""
    return LANDSCAPES[name]()


def of_file(landscape: str, seed: int, file: str) -> dict[str, float | None]:
    """The measures of the samples in a run's file."""
    with np.load(file, allow_pickle=False) as arrays:
        return of_samples(landscape, seed, arrays["samples"])


def of_samples(landscape: str, seed: int, samples: np.ndarray) -> dict[str, float | None]:
    """The measures by name, as JSON values.

    `modes` (the number of modes), the fields of `metrics.ModeScores`, and `energy` and `energy_p`: statistic
    and p-value of the energy test against the same number of fresh real points. None for values that are not
    finite, and for those of modes if the distribution has no modes.

    Args:
        landscape: name of the real distribution.
        seed: of the run; it determines real points and permutations.
        samples: float32 `(n, dim)`.
    """
    experiment, key = landscape_of(landscape), keys(seed)
    found: dict[str, Any] = dict.fromkeys(("modes", *metrics.ModeScores._fields))
    if experiment.mixture is not None:
        mixture = experiment.mixture
        scores = _mode_scores(jnp.asarray(samples), mixture.centers, mixture.sigma, mixture.weights)
        found |= {"modes": len(mixture.centers), **scores._asdict()}
    test = metrics.energy_test(jnp.asarray(samples), experiment.sample(key.real, len(samples)), key=key.test)
    found |= {"energy": test.statistic, "energy_p": test.p_value}
    return {name: _number(value) for name, value in found.items()}


_mode_scores = jax.jit(metrics.mode_scores)


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
