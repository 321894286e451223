"""Toy data has the shapes, centres and spreads its definitions say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.datasets import toy

PLANE = [toy.ring, toy.grid, toy.spiral, toy.swissroll, toy.moons, toy.checkerboard]


@pytest.mark.parametrize("sample", [toy.gaussian, *PLANE], ids=lambda f: f.__name__)
def test_every_sampler_is_a_pure_function_of_the_key(sample):
    draw = jax.jit(sample, static_argnums=1)
    first = draw(jax.random.key(1), 64)
    assert first.dtype == jnp.float32
    assert first.shape == (64, 1 if sample is toy.gaussian else 2)
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
    ("sample", "centers", "sigma", "modes"),
    [
        (toy.ring, toy.ring_centers, toy.RING_SIGMA, 8),
        (toy.grid, toy.grid_centers, toy.GRID_SIGMA, 25),
    ],
)
def test_mixtures_have_their_centres_equally_often_with_their_sigma(key, sample, centers, sigma, modes):
    c = np.asarray(centers())
    assert c.shape == (modes, 2)
    apart = np.linalg.norm(c[:, None] - c[None], axis=-1) + 10 * np.eye(modes)
    assert apart.min() > 0.7  # all distinct
    n = 20_000
    x = np.asarray(sample(key, n))
    distance = np.linalg.norm(x[:, None] - c[None], axis=-1)
    nearest = distance.argmin(axis=1)
    counts = np.bincount(nearest, minlength=modes)
    assert np.all(np.abs(counts - n / modes) < 5 * np.sqrt(n / modes))
    spread = (x - c[nearest]).std(axis=0)
    np.testing.assert_allclose(spread, sigma, rtol=0.03)
    high_quality = (distance.min(axis=1) < 3 * sigma).mean()
    assert abs(high_quality - 0.9889) < 0.005  # 1 - exp(-4.5)


def test_ring_centres_are_on_the_unit_circle_every_45_degrees():
    c = np.asarray(toy.ring_centers(), np.float64)
    np.testing.assert_allclose(np.linalg.norm(c, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose((c * np.roll(c, -1, axis=0)).sum(1), np.sqrt(0.5), atol=1e-6)


def test_grid_centres_are_the_even_numbers_from_minus_four_to_four():
    got = {tuple(c) for c in np.asarray(toy.grid_centers()).tolist()}
    assert got == {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}


def test_checkerboard_fills_its_dark_squares_and_no_other(key):
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
