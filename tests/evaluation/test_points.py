"""ganjax/evaluation/points.py"""

import jax
import numpy as np
import pytest

from ganjax.datasets import toy
from ganjax.evaluation.points import MEASURES, evaluate_points, perfect_points, point_scores

RING = toy.MIXTURES["ring"]
N = 400


@pytest.fixture(scope="module")
def perfect():
    return perfect_points(RING, N, mixture=RING, key=jax.random.key(5), repeats=3)


def measured(samples, **options):
    real = RING(jax.random.key(1), N)
    return evaluate_points(
        samples, real, mixture=RING, key=jax.random.key(2), **{"permutations": 99} | options
    )


def test_a_perfect_sampler_passes_every_test(perfect):
    found = measured(RING(jax.random.key(3), N))
    assert found.keys() == perfect.mean.keys()
    assert found["captured"] == 8
    assert min(found["energy_p"], found["mmd_p"], found["weights_p"]) > 0.01
    assert found["deviation_high_quality"] == pytest.approx(0.974, abs=0.1)
    assert {score.name for score in point_scores(found, perfect)} == set(found)
    assert perfect.mean["energy_p"] == 0.5


def test_missing_narrow_and_shifted_modes_are_found(perfect):
    key = jax.random.key(3)
    samples = np.asarray(RING(key, N))
    left = samples[:, 0] < -0.5
    dropped = measured(np.where(left[:, None], samples[~left][0], samples))
    assert dropped["captured"] < 8
    assert dropped["energy_p"] == pytest.approx(0.01)
    nearest = np.argmin(((samples[:, None] - RING.centers[None]) ** 2).sum(2), axis=1)
    shrunk = measured((RING.centers[nearest] + 0.5 * (samples - RING.centers[nearest])).astype("float32"))
    assert shrunk["deviation_high_quality"] == pytest.approx(0.5, abs=0.05)
    shifted = measured((samples + 10 * RING.sigma).astype("float32"))
    assert shifted["high_quality"] < 0.01
    assert shifted["sliced_wasserstein"] > perfect.mean["sliced_wasserstein"]


def test_samples_that_are_not_finite_have_no_distances():
    samples = np.asarray(RING(jax.random.key(3), N)).copy()
    samples[0] = np.nan
    found = measured(samples)
    assert np.isnan(found["precision"])
    assert np.isnan(found["sliced_wasserstein"])
    assert found["high_quality"] < 1


def test_a_part_of_the_measures():
    assert measured(RING(jax.random.key(3), N), measures=("mmd",)).keys() == {"mmd", "mmd_p"}
    with pytest.raises(ValueError, match=f"no measure 'charm': choose among {MEASURES[0]}"):
        measured(RING(jax.random.key(3), N), measures=("charm",))
    with pytest.raises(ValueError, match="must have one shape"):
        measured(RING(jax.random.key(3), N - 1))
