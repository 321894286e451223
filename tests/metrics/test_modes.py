"""Scores of modes: simple cases, the definitions written out in NumPy, and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ganjax.datasets import toy
from ganjax.metrics import ModeScores, mode_scores, modes, perfect_mode_scores

CENTERS = jnp.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def by_definition(samples, centers, sigma, weights=None):
    """One sample after the other, in float64."""
    centers = np.asarray(centers, np.float64)
    weights = np.ones(len(centers)) if weights is None else np.asarray(weights, np.float64)
    weights = weights / weights.sum()
    everything, good = ([[] for _ in centers] for _ in range(2))
    for x in np.asarray(samples, np.float64):
        distances = np.sqrt(((x - centers) ** 2).sum(axis=1))
        everything[distances.argmin()].append(x)
        if distances.min() <= 3 * sigma:
            good[distances.argmin()].append(x)
    counts = np.array([len(mode) for mode in good])
    shares = counts[counts > 0] / max(counts.sum(), 1)
    divergence, test = -np.log(weights.min()), 0.0
    if counts.any():
        divergence = (shares * np.log(shares / weights[counts > 0])).sum()
        test = stats.chisquare(counts, weights * counts.sum()).pvalue
    widths = deviation(everything, sigma), deviation(good, sigma)
    return (counts > 0).sum(), counts.sum() / len(samples), divergence, *widths, test


def deviation(points, sigma):
    """Of modes' lists of points."""
    several = [np.array(mode) for mode in points if len(mode) > 1]
    if not several:
        return np.nan
    squares = sum(((mode - mode.mean(axis=0)) ** 2).sum() for mode in several)
    return np.sqrt(squares / sum(mode[1:].size for mode in several)) / sigma


def scores(*samples, **options):
    return ModeScores(*map(float, mode_scores(jnp.array(samples, jnp.float32), CENTERS, 1.0, **options)))


def test_a_sample_at_every_center_is_perfect():
    assert scores(*CENTERS.tolist())[:3] == pytest.approx((4, 1.0, 0.0))


def test_all_samples_in_one_mode_are_a_collapse():
    found = scores(*[(0.1, 0), (0, 0.2), (-1, 1)] * 20)
    assert found[:3] == pytest.approx((1, 1.0, np.log(4)))
    assert found.weights_p < 1e-6


def test_a_sample_is_good_up_to_three_sigma_in_a_circle():
    assert scores((3, 0)).high_quality == 1
    assert scores((3.001, 0)).high_quality == 0
    assert (
        scores((2.9, 2.9)).high_quality == 0
    )  # within three sigma along each axis, but too far from the centre


def test_bad_samples_capture_no_mode_and_are_not_in_the_histogram():
    found = scores((0, 0), (10, 0), (5, 5), (100, 100))
    assert found[:3] == pytest.approx((2, 0.5, np.log(2)))


def test_without_a_good_sample_nothing_is_captured():
    found = scores((5, 5), (50, 50))
    assert found[:3] == pytest.approx((0, 0.0, np.log(4)))
    assert np.isnan(found.deviation_high_quality)
    assert found.weights_p == 0
    weighted = scores((5, 5), weights=jnp.array([1.0, 2.0, 3.0, 4.0]))
    assert weighted.reverse_kl == pytest.approx(np.log(10))


def test_widths_are_about_the_mean_of_each_mode_and_pooled():
    found = scores((0, 1), (2, 1), (10, 1), (10, 3), (0, 11))  # a variance of 2 along one axis of two, twice
    assert found.deviation == pytest.approx(1)
    assert scores((1, 1), (1, 1), (9, 9)).deviation == 0
    assert np.isnan(scores((0, 0), (10, 0)).deviation)  # no two samples in any mode


def test_bridges_widen_all_samples_but_not_those_of_high_quality():
    found = scores((-1, 0), (1, 0), (4.9, 0))
    assert found.deviation_high_quality == pytest.approx(1)
    assert found.deviation > 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_not_finite_are_not_of_high_quality(bad):
    found = scores((0, 0), (2, 0), (bad, 0), (bad, bad), (10, 10))
    assert found[:2] == pytest.approx((2, 0.6))
    assert found.deviation == found.deviation_high_quality == pytest.approx(1)


def test_a_mixture_of_one_mode_has_no_weights_to_test():
    found = ModeScores(*map(float, mode_scores(jnp.zeros((5, 2)), jnp.zeros((1, 2)), 1.0)))
    assert found == pytest.approx((1, 1, 0, 0, 0, 1))


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.sampled_from([1, 40]),
    k=st.sampled_from([2, 8]),
    dim=st.sampled_from([1, 2, 5]),
    spread=st.floats(0.5, 4),
    weighted=st.booleans(),
)
def test_agrees_with_the_definition(seed, n, k, dim, spread, weighted):
    random = np.random.default_rng(seed)
    centers = random.normal(size=(k, dim)).astype(np.float32) * 5
    samples = centers[random.integers(0, k, n)] + spread * random.normal(size=(n, dim)).astype(np.float32)
    weights = random.uniform(0.5, 3, k).astype(np.float32) if weighted else None
    found = mode_scores(jnp.asarray(samples), jnp.asarray(centers), 1.0, weights)
    np.testing.assert_allclose(found, by_definition(samples, centers, 1.0, weights), rtol=1e-4, atol=2e-5)
    assert {(x.shape, x.dtype.name) for x in found} == {((), "float32")}


def test_the_size_of_blocks_does_not_matter(key, monkeypatch):
    samples, centers = toy.ring(key, 1000), toy.ring_centers()
    whole = mode_scores(samples, centers, toy.RING_SIGMA)
    monkeypatch.setattr(modes, "_DISTANCES", 300 * 8)  # four blocks, the last of them not full
    np.testing.assert_allclose(mode_scores(samples, centers, toy.RING_SIGMA), whole, rtol=1e-5)


def test_the_width_of_a_narrow_mode_far_from_its_centre_is_precise(key):
    samples = jnp.array([[2.9, 0.0]]) + 1e-3 * jax.random.normal(key, (2000, 2))
    found = mode_scores(samples, CENTERS, 1.0)
    assert found.deviation == pytest.approx(1e-3, rel=0.05)


CASES = [
    (toy.ring, toy.ring_centers, toy.RING_SIGMA),
    (toy.grid, toy.grid_centers, toy.GRID_SIGMA),
]


@pytest.mark.parametrize(("sample", "centers", "sigma"), CASES)
def test_samples_of_the_mixture_get_the_scores_of_a_perfect_sampler(key, sample, centers, sigma):
    """Mean and spread over 200 perfect samples of 2500, in one vmapped program."""
    once = jax.jit(jax.vmap(lambda key: mode_scores(sample(key, 2500), centers(), sigma)))
    found = ModeScores(*map(np.asarray, once(jax.random.split(key, 200))))
    expected = ModeScores(*map(float, perfect_mode_scores(2500, 2, jnp.ones(len(centers())))))
    assert expected.high_quality == pytest.approx(1 - np.exp(-4.5))
    assert expected.deviation_high_quality == pytest.approx(0.9744, abs=1e-4)
    for name, values in found._asdict().items():
        error = values.std(ddof=1) / np.sqrt(200)
        assert values.mean() == pytest.approx(
            getattr(expected, name), abs=4 * error + 1e-3 * values.mean()
        ), name
    assert found.high_quality.std() == pytest.approx(0.0021, rel=0.2)
    assert stats.kstest(found.weights_p, "uniform").pvalue > 0.01
    assert (found.captured == len(centers())).all()


def ring_like(key, weights, shrunk=1.0, shift=0.0, n=2500):
    """Samples of a ring with other weights, smaller widths, and a shift of all samples in sigma."""
    key_mode, key_noise = jax.random.split(key)
    mode = jax.random.choice(key_mode, 8, (n,), p=jnp.asarray(weights, jnp.float32) / sum(weights))
    noise = shrunk * jax.random.normal(key_noise, (n, 2)) + jnp.array([[shift, 0.0]])
    return toy.ring_centers()[mode] + toy.RING_SIGMA * noise


def ring_scores(samples, weights=None):
    found = mode_scores(samples, toy.ring_centers(), toy.RING_SIGMA, weights)
    return ModeScores(*map(float, found))


def test_a_missing_mode_is_found(key):
    found = ring_scores(ring_like(key, [0] + [1] * 7))
    assert found.captured == 7
    assert found.reverse_kl == pytest.approx(np.log(8 / 7), abs=0.005)
    assert found.weights_p < 1e-6
    assert found.deviation_high_quality == pytest.approx(0.974, abs=0.02)


def test_narrow_modes_raise_the_quality_and_lower_the_width(key):
    found = ring_scores(ring_like(key, [1] * 8, shrunk=0.7))
    assert found.high_quality > 0.997
    assert found.deviation == pytest.approx(0.7, abs=0.02)
    assert found.deviation_high_quality == pytest.approx(0.7, abs=0.02)
    assert found.weights_p > 0.001


def test_shifted_modes_lose_quality_and_keep_their_width(key):
    found = ring_scores(ring_like(key, [1] * 8, shift=2.0))
    assert found.high_quality == pytest.approx(stats.ncx2.cdf(9, 2, 4), abs=0.03)  # .78
    assert found.deviation == pytest.approx(1, abs=0.02)


def test_weights_are_the_mixtures_own(key):
    weights = [1] * 4 + [20] * 4
    samples = ring_like(key, weights)
    right, wrong = ring_scores(samples, jnp.array(weights, jnp.float32)), ring_scores(samples)
    assert right.reverse_kl < 0.005
    assert right.weights_p > 0.001
    assert wrong.reverse_kl > 0.3
    assert wrong.weights_p < 1e-6


@pytest.mark.parametrize("dim", [1, 2, 3, 10])
def test_a_perfect_sampler_in_any_dimension(dim):
    random = np.random.default_rng(dim)
    points = random.normal(size=(100_000, dim))
    good = points[(points**2).sum(axis=1) <= 9]
    expected = perfect_mode_scores(100_000, dim, jnp.ones(1))
    assert expected.high_quality == pytest.approx(len(good) / 100_000, abs=0.006)
    assert expected.deviation_high_quality == pytest.approx(good.std(), rel=0.01)


def test_how_many_modes_a_perfect_sampler_captures():
    weights = jnp.array([1.0, 9.0])
    expected = perfect_mode_scores(10, 2, weights).captured
    q = 1 - np.exp(-4.5)
    assert expected == pytest.approx(2 - (1 - 0.1 * q) ** 10 - (1 - 0.9 * q) ** 10, rel=1e-5)


def test_is_pure_and_traces_once(key):
    traced = []

    @jax.jit
    def once(samples):
        traced.append(samples)
        return mode_scores(samples, CENTERS, 1.0)

    samples = 10 * jax.random.uniform(key, (3, 50, 2))
    for each in samples:
        once(each)
    assert len(traced) == 1
    together = jax.vmap(once)(samples)
    for i, each in enumerate(samples):
        np.testing.assert_allclose([x[i] for x in together], mode_scores(each, CENTERS, 1.0), rtol=1e-5)
