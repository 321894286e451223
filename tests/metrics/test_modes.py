"""Modes, quality and reverse KL against samples made by hand and the definitions written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.datasets import toy
from ganjax.metrics import Modes, count_modes

CENTERS = jnp.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def by_definition(samples, centers, sigma):
    """PacGAN's scores, one sample at a time, in float64."""
    found = []
    for x in np.asarray(samples, np.float64):
        distances = np.sqrt(((x - np.asarray(centers, np.float64)) ** 2).sum(axis=1))
        if distances.min() <= 3 * sigma:
            found.append(distances.argmin())
    counts = np.bincount(found, minlength=len(centers))
    shares = counts[counts > 0] / max(counts.sum(), 1)
    entropy = -(shares * np.log(shares)).sum()
    return (counts > 0).sum(), len(found) / len(samples), np.log(len(centers)) - entropy


def scores(*samples):
    return Modes(*map(float, count_modes(jnp.array(samples, jnp.float32), CENTERS, 1.0)))


def test_a_sample_at_every_center_is_perfect():
    assert scores(*CENTERS.tolist()) == pytest.approx((4, 1.0, 0.0))


def test_all_samples_in_one_mode_are_a_collapse():
    found = scores((0.1, 0), (0, 0.2), (-1, 1))
    assert found == pytest.approx((1, 1.0, np.log(4)))


def test_a_sample_is_good_up_to_three_sigma_in_a_circle():
    assert scores((3, 0)).high_quality == 1
    assert scores((3.001, 0)).high_quality == 0
    assert scores((2.9, 2.9)).high_quality == 0  # within three sigma of each coordinate, yet too far


def test_bad_samples_capture_no_mode_and_weigh_nothing_in_the_histogram():
    found = scores((0, 0), (10, 0), (5, 5), (100, 100))
    assert found == pytest.approx((2, 0.5, np.log(2)))


def test_without_a_good_sample_nothing_is_captured():
    assert scores((5, 5), (50, 50)) == pytest.approx((0, 0.0, np.log(4)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_of_no_quality(bad):
    found = scores((0, 0), (bad, 0), (bad, bad), (10, 10))
    assert found == pytest.approx((2, 0.5, np.log(2)))


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.sampled_from([1, 40]),
    k=st.sampled_from([1, 8]),
    spread=st.floats(0.5, 4),
)
def test_agrees_with_the_definition(seed, n, k, spread):
    random = np.random.default_rng(seed)
    centers = random.normal(size=(k, 2)).astype(np.float32) * 5
    samples = centers[random.integers(0, k, n)] + spread * random.normal(size=(n, 2)).astype(np.float32)
    found = count_modes(jnp.asarray(samples), jnp.asarray(centers), 1.0)
    np.testing.assert_allclose(found, by_definition(samples, centers, 1.0), atol=1e-5)
    assert {(x.shape, x.dtype.name) for x in found} == {((), "float32")}


@pytest.mark.parametrize(
    ("sample", "centers", "sigma", "floor"),
    [
        (toy.ring, toy.ring_centers, toy.RING_SIGMA, 0.0014),
        (toy.grid, toy.grid_centers, toy.GRID_SIGMA, 0.0048),
    ],
)
def test_the_data_themselves_score_as_a_perfect_sampler(key, sample, centers, sigma, floor):
    """1 - exp(-9/2) = 0.9889 in the plane, and a reverse KL of (K - 1) / 2n from sampling alone."""
    once = jax.jit(lambda key: count_modes(sample(key, 2500), centers(), sigma))
    found = [once(k) for k in jax.random.split(key, 20)]
    captured, quality, divergence = np.mean(found, axis=0)
    assert captured == len(centers())
    assert quality == pytest.approx(1 - np.exp(-4.5), abs=5 * 0.0021 / np.sqrt(20))
    assert divergence == pytest.approx(floor, rel=0.4)


def test_is_pure_and_traces_once(key):
    traced = []

    @jax.jit
    def once(samples):
        traced.append(samples)
        return count_modes(samples, CENTERS, 1.0)

    samples = 10 * jax.random.uniform(key, (3, 50, 2))
    for each in samples:
        once(each)
    assert len(traced) == 1
    together = jax.vmap(once)(samples)
    for i, each in enumerate(samples):
        np.testing.assert_array_equal([x[i] for x in together], count_modes(each, CENTERS, 1.0))
