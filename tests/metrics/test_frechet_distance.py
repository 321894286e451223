"""The Frechet distance against its closed form, the formula as published, and Gaussians known by hand."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from ganjax.metrics import frechet_distance


def drawn(seed, n, d):
    return np.random.default_rng(seed).normal(size=(n, d))


def with_moments(mean, covariance, n=50):
    """Exactly these moments: whitened draws, coloured."""
    raw = drawn(0, n, len(mean))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T).reshape(len(mean), -1))).T
    return white @ np.linalg.cholesky(np.asarray(covariance, float)).T + mean


def as_published(a, b):
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
def test_is_the_closed_form_of_gaussians(mean, covariance, expected):
    unit = with_moments([0, 0], [[1, 0], [0, 1]])
    assert frechet_distance(unit, with_moments(mean, covariance)) == pytest.approx(expected, abs=1e-10)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(8, 40), m=st.integers(8, 40), d=st.integers(2, 6))
def test_is_the_published_formula_with_a_matrix_square_root(seed, n, m, d):
    a, b = drawn(seed, n, d), 2 * drawn(seed + 1, m, d) + 1
    assert frechet_distance(a, b) == pytest.approx(as_published(a, b), rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-9)
    turn = np.linalg.qr(drawn(seed + 2, d, d))[0]
    moved = frechet_distance(a[::-1] @ turn + 100, b @ turn + 100)
    assert moved == pytest.approx(frechet_distance(a, b), rel=1e-9)
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * frechet_distance(a, b), rel=1e-9)


def test_equal_sets_are_at_distance_zero_with_fewer_samples_than_features_too():
    few = drawn(0, 5, 20).astype(np.float32)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-12)
    # Both are flat: S_a S_b = 0 where they lie in planes at right angles, and only the traces remain.
    a, b = np.zeros((9, 4)), np.zeros((7, 4))
    a[:, :2], b[:, 2:] = drawn(1, 9, 2), drawn(2, 7, 2)
    mean = ((a.mean(0) - b.mean(0)) ** 2).sum()
    assert frechet_distance(a, b) == pytest.approx(mean + np.trace(np.cov(a.T) + np.cov(b.T)))


def test_one_repeated_sample_is_as_far_as_its_mean_and_all_the_variance():
    real = drawn(0, 200, 3)
    once = np.repeat(real[:1], 100, axis=0)
    expected = ((real.mean(0) - real[0]) ** 2).sum() + np.trace(np.cov(real.T))
    assert frechet_distance(real, once) == pytest.approx(expected)


def test_real_against_real_falls_as_one_over_n():
    """Bias: both halves see other samples, so even the data's own score is not 0."""
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
        (np.zeros((5, 3)), "features_a and features_b must be of one width, got 2 and 3 numbers a sample"),
    ],
)
def test_what_are_no_features_is_said_in_one_line(bad, message):
    with pytest.raises(ValueError, match=message) as caught:
        frechet_distance(np.zeros((5, 2)), bad)
    assert "\n" not in str(caught.value)
