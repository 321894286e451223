"""The Frechet distance against its closed form and published formula; the kernel distance against loops."""

import jax
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from ganjax.metrics import frechet_distance, kernel_distance

KEY = jax.random.key(0)


def drawn(seed, n, d=4):
    return np.random.default_rng(seed).normal(size=(n, d))


def with_moments(mean, covariance, n=50):
    """Samples with exactly this mean and covariance."""
    raw = drawn(0, n, len(mean))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T).reshape(len(mean), -1))).T
    return white @ np.linalg.cholesky(np.asarray(covariance, float)).T + mean


def published_formula(a, b):
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T))
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root.real)


@pytest.mark.parametrize(
    ("mean", "covariance", "expected"),
    [
        ([0, 0], [[1, 0], [0, 1]], 0),
        ([3, 4], [[1, 0], [0, 1]], 25),
        ([0, 0], [[4, 0], [0, 9]], (2 - 1) ** 2 + (3 - 1) ** 2),
        ([1, 0], [[2, 1], [1, 2]], 1 + 2 + 4 - 2 * (1 + np.sqrt(3))),
    ],
)
def test_the_frechet_distance_of_gaussians(mean, covariance, expected):
    unit = with_moments([0, 0], [[1, 0], [0, 1]])
    assert frechet_distance(unit, with_moments(mean, covariance)) == pytest.approx(expected, abs=1e-10)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(8, 40), m=st.integers(8, 40), d=st.integers(2, 6))
def test_the_frechet_distance_agrees_with_the_published_formula(seed, n, m, d):
    a, b = drawn(seed, n, d), 2 * drawn(seed + 1, m, d) + 1
    assert frechet_distance(a, b) == pytest.approx(published_formula(a, b), rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-9)
    rotation = np.linalg.qr(drawn(seed + 2, d, d))[0]
    moved = frechet_distance(a[::-1] @ rotation + 100, b @ rotation + 100)
    assert moved == pytest.approx(frechet_distance(a, b), rel=1e-9)
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * frechet_distance(a, b), rel=1e-9)


def test_the_frechet_distance_with_fewer_samples_than_features():
    few = drawn(0, 5, 20).astype(np.float32)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-12)
    # Both covariances are singular: in orthogonal planes S_a S_b = 0, and only the traces remain.
    a, b = np.zeros((9, 4)), np.zeros((7, 4))
    a[:, :2], b[:, 2:] = drawn(1, 9, 2), drawn(2, 7, 2)
    mean = ((a.mean(0) - b.mean(0)) ** 2).sum()
    assert frechet_distance(a, b) == pytest.approx(mean + np.trace(np.cov(a.T) + np.cov(b.T)))


def test_the_frechet_distance_to_one_repeated_sample():
    real = drawn(0, 200, 3)
    once = np.repeat(real[:1], 100, axis=0)
    expected = ((real.mean(0) - real[0]) ** 2).sum() + np.trace(np.cov(real.T))
    assert frechet_distance(real, once) == pytest.approx(expected)


def test_the_bias_of_the_frechet_distance_falls_as_one_over_n():
    """Two sets of real samples differ, so their distance is not 0."""
    few, many = (
        [frechet_distance(*drawn(s, 2 * n, 8).reshape(2, n, 8)) for s in range(30)] for n in (100, 400)
    )
    assert np.mean(many) == pytest.approx(np.mean(few) / 4, rel=0.15)
    assert min(few) > 0


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros(5), r"features_b must be floats of shape \(n, d\), got float64 of shape \(5,\)"),
        (np.zeros((5, 2), int), r"features_b must be floats of shape \(n, d\), got int64"),
        (np.zeros((5, 0)), r"features_b must be floats of shape \(n, d\), got float64 of shape \(5, 0\)"),
        (np.zeros((1, 2)), "features_b must hold at least 2 samples, got 1"),
        (np.full((5, 2), np.nan), "features_b holds NaN or infinity"),
        (np.zeros((5, 3)), "features_a and features_b must have the same number of features, got 2 and 3"),
    ],
)
def test_wrong_features_are_refused_in_one_line(bad, message):
    with pytest.raises(ValueError, match=message) as caught:
        frechet_distance(np.zeros((5, 2)), bad)
    assert "\n" not in str(caught.value)


def kernel(x, y):
    return (x @ y / len(x) + 1) ** 3


def mmd_by_loops(a, b):
    """Unbiased MMD^2, one pair after the other."""
    among_a = [kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j]
    among_b = [kernel(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j]
    between = [kernel(x, y) for x in a for y in b]
    return np.mean(among_a) + np.mean(among_b) - 2 * np.mean(between)


def from_all_samples(a, b):
    return kernel_distance(a, b, key=KEY, subsets=1).mean


@given(seed=st.integers(0, 2**31), n=st.integers(2, 12), m=st.integers(2, 12), d=st.integers(1, 5))
def test_the_kernel_distance_agrees_with_loops(seed, n, m, d):
    a, b = drawn(seed, n, d), drawn(seed + 1, m, d) + 1
    assert from_all_samples(a, b) == pytest.approx(mmd_by_loops(a, b), rel=1e-9, abs=1e-9)
    assert from_all_samples(b, a) == pytest.approx(from_all_samples(a, b), rel=1e-9, abs=1e-9)
    assert from_all_samples(a[::-1], b) == pytest.approx(from_all_samples(a, b), rel=1e-9, abs=1e-9)
    rotation = np.linalg.qr(drawn(seed + 2, d, d))[0]
    assert from_all_samples(a @ rotation, b @ rotation) == pytest.approx(
        from_all_samples(a, b), rel=1e-9, abs=1e-9
    )


def test_the_kernel_distance_has_no_bias():
    """Real samples get 0 on average for every n, and shifted ones the same value for every n."""
    for n in (5, 50):
        same = [from_all_samples(drawn(2 * s, n), drawn(2 * s + 1, n)) for s in range(200)]
        assert abs(np.mean(same)) < 4 * np.std(same) / np.sqrt(200)
        assert min(same) < 0 < max(same)
    shifted = {
        n: [from_all_samples(drawn(2 * s, n), drawn(2 * s + 1, n) + 1) for s in range(200)] for n in (10, 100)
    }
    error = np.std(shifted[10]) / np.sqrt(200)
    assert np.mean(shifted[10]) == pytest.approx(np.mean(shifted[100]), abs=4 * error)
    assert np.mean(shifted[10]) > 4 * error


def test_subsets_vary_about_the_estimate_from_all_samples():
    a, b = drawn(0, 400), drawn(1, 400) + 0.5
    small = kernel_distance(a, b, key=KEY, subsets=200, subset_size=20)
    large = kernel_distance(a, b, key=KEY, subsets=200, subset_size=100)
    whole = from_all_samples(a, b)
    assert large.standard_deviation < small.standard_deviation / 1.5
    for found in (small, large):
        assert found.mean == pytest.approx(whole, abs=4 * found.standard_deviation / np.sqrt(200))


def test_the_key_decides_the_kernel_distance():
    a, b = drawn(0, 60), drawn(1, 60)
    first, again, other = (
        kernel_distance(a, b, key=key, subsets=5, subset_size=20)
        for key in (KEY, jax.random.key(0), jax.random.key(1))
    )
    assert first == again
    assert first != other


def test_wrong_arguments_of_the_kernel_distance_are_refused():
    a = drawn(0, 10)
    with pytest.raises(ValueError, match=r"^subsets must be a whole number in 1\.\.100000 \(.*\), got 0$"):
        kernel_distance(a, a, key=KEY, subsets=0)
    with pytest.raises(
        ValueError, match=r"^subset_size must be a whole number in 2\.\.100000 \(.*\), got 1$"
    ):
        kernel_distance(a, a, key=KEY, subset_size=1)
    with pytest.raises(ValueError, match="same number of features, got 4 and 3"):
        kernel_distance(a, a[:, :3], key=KEY)
    with pytest.raises(TypeError, match="a PRNG key is needed"):
        kernel_distance(a, a, key=0)  # type: ignore[arg-type]
