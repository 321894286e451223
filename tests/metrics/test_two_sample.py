"""Energy and kernel tests against sums over pairs in NumPy and SciPy, and properties of p-values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from ganjax.datasets import toy
from ganjax.metrics import energy_test, mmd_test, two_sample

TESTS = pytest.mark.parametrize("test", [energy_test, mmd_test])


def energy(x, y):
    return 2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()


def mmd(x, y, bandwidth):
    def mean(a, b):
        return np.exp(-cdist(a, b, "sqeuclidean") / (2 * bandwidth**2)).mean()

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


@pytest.mark.parametrize(("n", "m", "dim"), [(30, 25, 1), (1, 40, 2), (25, 25, 7)])
def test_statistics_are_sums_over_all_pairs(n, m, dim, key):
    for seed in range(10):  # all of one shape, so that it is compiled once
        random = np.random.default_rng(seed)
        x = random.normal(size=(n, dim)).astype(np.float32)
        y = random.uniform(0.2, 2) * random.normal(size=(m, dim)).astype(np.float32) + np.float32(0.1 * seed)
        found = energy_test(x, y, key=key, permutations=9)
        assert found.statistic == pytest.approx(energy(x, y), rel=1e-4, abs=1e-5)
        if dim == 1:
            expected = stats.energy_distance(x[:, 0], y[:, 0]) ** 2
            assert found.statistic == pytest.approx(expected, rel=1e-4, abs=1e-5)
        median = np.median(cdist(np.r_[x, y], np.r_[x, y])[np.triu_indices(n + m, 1)])
        found = mmd_test(x, y, key=key, permutations=9)
        assert found.statistic == pytest.approx(mmd(x, y, median), rel=1e-3, abs=1e-5)
    assert {(value.shape, value.dtype.name) for value in found} == {((), "float32")}


@TESTS
def test_p_values_are_uniform_if_the_distributions_are_equal(test, key):
    """For 500 pairs of sets, every threshold is passed as often as it should be."""

    @jax.jit
    @jax.vmap
    def p_value(key):
        ours, theirs, own = jax.random.split(key, 3)
        x, y = toy.moons(ours, 24), toy.moons(theirs, 16)
        return test(x, y, key=own, permutations=99).p_value

    found = np.asarray(p_value(jax.random.split(key, 500)))
    assert found.min() >= 0.01
    assert found.max() <= 1
    counts = np.bincount(np.ceil(found * 10 - 1e-4).astype(int) - 1, minlength=10)
    assert stats.chisquare(counts).pvalue > 0.001
    assert np.mean(found <= 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 500))


def drawn(key, sample):
    """Two sets, of the same shapes in all tests here, and a key."""
    ours, theirs, own = jax.random.split(jax.random.fold_in(key, 1), 3)
    return sample(ours, 100), sample(theirs, 100), {"key": own, "permutations": 99}


def normal(key, n):
    return jax.random.normal(key, (n, 2))


@TESTS
@pytest.mark.parametrize(
    "differ",
    [
        lambda x: x + jnp.array([[1.0, 0.0]]),
        lambda x: 0.4 * x,
        lambda x: jnp.where(x[:, :1] > 0, x, -x),  # half of it is missing
    ],
    ids=["shifted", "shrunk", "dropped"],
)
def test_differences_are_found(test, differ, key):
    x, y, options = drawn(key, normal)
    assert test(x, y, **options).p_value > 0.05
    assert test(x, differ(y), **options).p_value <= 0.02


def test_a_small_bandwidth_finds_other_widths_of_modes_far_apart(key):
    x, y, options = drawn(key, toy.ring)
    angle = jnp.round(jnp.arctan2(y[:, 1], y[:, 0]) * 4 / jnp.pi) * jnp.pi / 4
    center = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
    shrunk = center + 0.2 * (y - center)
    assert mmd_test(x, shrunk, **options).p_value > 0.05
    found = mmd_test(x, shrunk, **options, bandwidth=0.01)
    assert found.p_value <= 0.02
    assert found.statistic == pytest.approx(mmd(np.asarray(x), np.asarray(shrunk), 0.01), rel=1e-3)


def test_small_distances_far_from_the_origin_are_precise(key):
    """The squares of these coordinates in float32 are rounded by more than distances of 0.01."""
    x, y, options = drawn(key, lambda key, n: 100 + 0.01 * normal(key, n))
    y = y + 0.02
    found = energy_test(x, y, **options)
    expected = energy(np.asarray(x, np.float64), np.asarray(y, np.float64))
    assert found.statistic == pytest.approx(expected, rel=1e-3)
    assert found.p_value == pytest.approx(0.01)


@TESTS
def test_equal_sets_have_distance_zero(test, key):
    x, _, options = drawn(key, toy.ring)
    found = test(x, x, **options)
    assert found.statistic == pytest.approx(0, abs=1e-6)
    assert found.p_value == 1
    same = jnp.ones((100, 2))  # every distance, and so its median, is 0
    assert test(same, same, **options).p_value == 1


@TESTS
def test_points_that_are_not_finite_give_the_smallest_p(test, key):
    x, y, options = drawn(key, toy.ring)
    found = test(x.at[3, 0].set(jnp.nan), y, **options)
    assert np.isnan(found.statistic)
    assert found.p_value == pytest.approx(0.01)


def test_the_size_of_blocks_does_not_matter(key, monkeypatch):
    monkeypatch.setattr(two_sample, "_ENTRIES", 1000)  # eight rows, and three left
    x, y = toy.moons(key, 61), toy.spiral(key, 62)
    expected = energy(np.asarray(x), np.asarray(y))
    assert energy_test(x, y, key=key, permutations=9).statistic == pytest.approx(expected, rel=1e-4)


@TESTS
def test_a_key_decides_and_nothing_is_compiled_twice(test, key):
    x, y, options = drawn(key, toy.moons)
    compiled = {energy_test: two_sample._energy_test, mmd_test: two_sample._mmd_test}[test]
    first, count = test(x, y, **options), compiled._cache_size()
    assert test(x, y, **options) == first
    assert test(y, x, **options).p_value != first.p_value  # the same permutations, but of other points
    assert compiled._cache_size() == count


@TESTS
@pytest.mark.parametrize(
    ("x", "y", "permutations", "said"),
    [
        (np.zeros((3, 2)), np.zeros((3, 3)), 9, r"got \(3, 2\) and \(3, 3\)"),
        (np.zeros(3), np.zeros(3), 9, r"shape \(n, d\)"),
        (np.zeros((0, 2)), np.zeros((3, 2)), 9, r"got \(0, 2\)"),
        (np.zeros((3, 2)), np.zeros((3, 2)), 0, "at least 1"),
    ],
)
def test_mistakes(test, x, y, permutations, said, key):
    with pytest.raises(ValueError, match=said):
        test(x, y, key=key, permutations=permutations)


@pytest.mark.parametrize("n", [500, 2500])
def test_large_sets_give_what_numpy_gives(n, key):
    """JAX 0.10.2 may wrongly compile a product that is multiplied and summed over thousands of rows."""
    points = np.asarray(toy.ring(key, 2 * n), np.float64)
    x, y = points[:n], 1.1 * points[n:]
    found = energy_test(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32), key=key, permutations=500)
    assert found.statistic == pytest.approx(energy(x, y), rel=1e-3)
    assert found.p_value < 0.01
