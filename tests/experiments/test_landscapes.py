"""Landscapes: what their pictures show, and scores by modes for those that have modes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optimizer_moves import moves

from ganjax import generate, init_state
from ganjax.experiments import EXPERIMENTS, LANDSCAPES, Cube, Grid, Ring, Spiral, UnbalancedRing
from ganjax.metrics import mode_scores


def test_landscapes_are_experiments():
    assert all(EXPERIMENTS[name] is kind for name, kind in LANDSCAPES.items())


@pytest.mark.parametrize("name", LANDSCAPES)
def test_the_picture_shows_all_of_the_landscape_and_the_scale_is_the_datas(key, name):
    experiment = LANDSCAPES[name]()
    points = np.asarray(experiment.sample(key, 20_000))
    assert points.shape == (20_000, experiment.dim)
    assert np.mean(np.abs(points[:, :2]).max(axis=1) > experiment.extent) < 0.001
    assert np.abs(points[:, :2]).max() > experiment.extent / 2  # and not too much around it
    assert np.sqrt(np.mean(points**2)) == pytest.approx(experiment.scale, rel=0.01)


@pytest.mark.parametrize("kind", [Ring, Grid, Cube, UnbalancedRing])
def test_mixtures_are_judged_by_their_modes(key, kind):
    experiment = kind(width=4)
    state = init_state(experiment.gan, key)
    mixture = experiment.mixture
    samples = generate(experiment.gan, state, key, 2500)
    expected = mode_scores(samples, mixture.centers, mixture.sigma, mixture.weights)
    assert expected.reverse_kl > 0
    scores = experiment.score(state, None, key)
    for name, value in expected._asdict().items():
        assert scores[name] == pytest.approx(float(value)) if np.isfinite(value) else name not in scores


def test_a_mode_that_is_nowhere_hit_has_no_width(key):
    experiment = Grid(width=4)
    state = init_state(experiment.gan, key)
    far = [jnp.full_like(p, 1e3) for p in state.ema.params]
    lost = jax.tree.unflatten(jax.tree.structure(state.ema.params), far)
    state = dataclasses.replace(state, ema=dataclasses.replace(state.ema, params=lost))
    scores = experiment.score(state, None, key)
    assert scores["captured"] == scores["high_quality"] == 0
    assert "deviation_high_quality" not in scores


def test_what_has_no_modes_is_not_scored(key):
    assert Spiral.distribution.fget(Spiral()) is Spiral
    assert Spiral().mixture is None
    assert Spiral().score(None, None, key) == {}


def test_the_penalty_falls_by_equal_factors_from_one_weight_to_the_other():
    experiment = Grid(width=4, steps=10, penalty=1.0, final_penalty=0.01)
    r1, r2 = experiment.gan.penalties
    for penalty in (r1, r2):
        weights = [float(penalty.weight(jnp.int32(t))) / experiment.scale**2 for t in (0, 5, 10)]
        assert weights == pytest.approx([1.0, 0.1, 0.01], rel=1e-5)


def test_each_learning_rate_falls_to_zero():
    gan = Ring(width=4, steps=10, learning_rate=1e-3, discriminator_learning_rate=3e-3).gan
    for optimizer, rate in ((gan.generator_optimizer, 1e-3), (gan.discriminator_optimizer, 3e-3)):
        downhill = moves(optimizer, [1.0] * 11)
        assert downhill[0] == pytest.approx(-rate, rel=1e-3)
        assert downhill == sorted(downhill)
        assert downhill[-1] == 0
