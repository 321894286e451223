"""Toy data has the shapes, centres and deviations of its definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import chi2

from ganjax.datasets import toy

PLANE = [toy.ring, toy.grid, toy.spiral, toy.swissroll, toy.moons, toy.checkerboard]


def named(sampler):
    return getattr(sampler, "__name__", None)


@pytest.mark.parametrize("sample", [toy.gaussian, *PLANE, *toy.MIXTURES.values()], ids=named)
def test_every_sampler_is_a_pure_function_of_the_key(sample):
    draw = jax.jit(sample, static_argnums=1)
    first = draw(jax.random.key(1), 64)
    assert first.dtype == jnp.float32
    dim = sample.centers.shape[1] if isinstance(sample, toy.Mixture) else 2
    assert first.shape == (64, 1 if sample is toy.gaussian else dim)
    np.testing.assert_array_equal(first, draw(jax.random.key(1), 64))
    np.testing.assert_array_equal(first, draw(jax.random.PRNGKey(1), 64))
    assert not np.allclose(first, draw(jax.random.key(2), 64))
    assert not jax.make_jaxpr(sample, static_argnums=1)(jax.random.key(1), 64).effects
    keys = jax.random.split(jax.random.key(3), 2)
    together = jax.vmap(lambda k: sample(k, 8))(keys)
    np.testing.assert_allclose(together[1], sample(keys[1], 8), rtol=1e-6, atol=1e-6)


def test_samplers_compile_once(key):
    traces = []
    draw = jax.jit(lambda key: traces.append(1) or toy.grid(key, 16))
    draw(key)
    draw(jax.random.key(5))
    assert len(traces) == 1


def test_gaussian_has_mean_ten_and_deviation_one(key):
    x = np.asarray(toy.gaussian(key, 20_000))
    assert abs(x.mean() - 10) < 0.03
    assert abs(x.std() - 1) < 0.03


@pytest.mark.parametrize(
    ("name", "shape", "sigma", "apart"),
    [
        ("ring", (8, 2), 0.01, 0.7653),
        ("grid", (25, 2), 0.05, 2),
        ("grid-100", (100, 2), 0.05, 2),
        ("cube", (27, 3), 0.05, 2),
        ("unbalanced-ring", (8, 2), 0.01, 0.7653),
        ("thousand", (1000, 10), 0.05, 2),
    ],
)
def test_mixtures_have_their_centres_weights_and_sigma(key, name, shape, sigma, apart):
    mixture = toy.MIXTURES[name]
    c = mixture.centers
    assert c.shape == shape
    assert c.dtype == mixture.weights.dtype == np.float32
    assert mixture.sigma == sigma
    assert mixture.weights.sum() == pytest.approx(1)
    n = 20_000
    x = np.asarray(mixture(key, n))
    neighbours = cKDTree(c)
    assert neighbours.query(c, k=2)[0][:, 1].min() == pytest.approx(apart, abs=1e-4)
    distance, nearest = neighbours.query(x)
    expected = n * mixture.weights
    assert np.all(np.abs(np.bincount(nearest, minlength=len(c)) - expected) < 5 * np.sqrt(expected))
    np.testing.assert_allclose((x - c[nearest]).std(axis=0), sigma, rtol=0.03)
    assert (distance < 3 * sigma).mean() == pytest.approx(chi2.cdf(9, shape[1]), abs=0.015)


def test_all_mixtures_are_tested_above():
    assert set(toy.MIXTURES) == {"ring", "grid", "grid-100", "cube", "unbalanced-ring", "thousand"}


@pytest.mark.parametrize(("sample", "name"), [(toy.ring, "ring"), (toy.grid, "grid")])
def test_equal_gaussians_are_a_uniform_choice_and_noise(key, sample, name):
    """Ring and grid have the same bits as in earlier versions."""
    choice, noise = jax.random.split(key)
    c = toy.MIXTURES[name].centers
    mode = jax.random.randint(choice, (50,), 0, len(c))
    expected = jnp.asarray(c)[mode] + toy.MIXTURES[name].sigma * jax.random.normal(noise, (50, 2))
    np.testing.assert_array_equal(sample(key, 50), expected)


def test_weights_of_the_unbalanced_ring_rise_by_a_constant_factor_to_twenty():
    mixture = toy.MIXTURES["unbalanced-ring"]
    np.testing.assert_array_equal(mixture.centers, toy.MIXTURES["ring"].centers)
    np.testing.assert_allclose(mixture.weights[1:] / mixture.weights[:-1], 20 ** (1 / 7), rtol=1e-5)


def test_the_lattice_of_the_thousand_is_rotated():
    c = toy.MIXTURES["thousand"].centers
    assert np.linalg.matrix_rank(c, tol=1e-3) == 3
    assert np.all(c.std(axis=0) > 0.3)
    assert np.linalg.norm(c, axis=1).max() == pytest.approx(9 * np.sqrt(3), rel=1e-5)


def test_ring_centres_are_on_the_unit_circle_every_45_degrees():
    c = np.asarray(toy.ring_centers(), np.float64)
    np.testing.assert_allclose(np.linalg.norm(c, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose((c * np.roll(c, -1, axis=0)).sum(1), np.sqrt(0.5), atol=1e-6)


def test_grid_centres_are_the_even_numbers_from_minus_four_to_four():
    got = {tuple(c) for c in np.asarray(toy.grid_centers()).tolist()}
    assert got == {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}


def test_checkerboard_fills_its_dark_squares_only(key):
    x = np.asarray(toy.checkerboard(key, 8_000))
    assert np.abs(x).max() <= 4
    square = np.floor(x / 2).astype(int)
    assert np.all(square.sum(axis=1) % 2 == 0)
    _, counts = np.unique(square, axis=0, return_counts=True)
    assert len(counts) == 8
    assert counts.min() > 850


def test_moons_lie_on_two_half_circles(key):
    x = np.asarray(toy.moons(key, 4_000))
    to_upper = np.abs(np.linalg.norm(x, axis=1) - 1)
    to_lower = np.abs(np.linalg.norm(x - [1, 0.5], axis=1) - 1)
    assert np.minimum(to_upper, to_lower).max() < 5 * toy.MOONS_SIGMA
    assert abs((to_upper < to_lower).mean() - 0.5) < 0.1


def test_swissroll_radius_grows_with_its_angle(key):
    x = np.asarray(toy.swissroll(key, 4_000))
    radius, angle = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0])
    turns = (7.5 * radius - angle) / (2 * np.pi)
    off = np.abs(turns - np.round(turns)) * 2 * np.pi / 7.5
    assert np.quantile(off, 0.95) < 3 * toy.SWISSROLL_SIGMA
    assert 1.5 * np.pi / 7.5 - 0.2 < radius.min() < radius.max() < 4.5 * np.pi / 7.5 + 0.2


def test_spiral_has_two_arms_point_symmetric_to_each_other(key):
    x = np.asarray(toy.spiral(key, 8_000))
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=0.1)
    radius, angle = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0])
    half_turns = (3 * radius - angle) / np.pi
    off = np.abs(half_turns - np.round(half_turns)) * np.pi / 3
    outer = radius > 1
    assert np.quantile(off[outer], 0.95) < 3 * toy.SPIRAL_SIGMA
    assert 0.4 < (np.round(half_turns[outer]) % 2).mean() < 0.6
