"""Precision, recall, density and coverage against double loops, and on sets with known scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.metrics import density_coverage, manifold, precision_recall


def drawn(seed, n, d=3):
    return np.random.default_rng(seed).normal(size=(n, d))


def radius(points, i, k):
    return sorted(np.linalg.norm(points[i] - x) for j, x in enumerate(points) if j != i)[k - 1]


def inside(x, points, k):
    """In which balls x lies."""
    return [np.linalg.norm(x - points[i]) <= radius(points, i, k) + 1e-9 for i in range(len(points))]


def by_loops(real, fake, k):
    hits = np.array([inside(x, real, k) for x in fake])
    recalled = [any(inside(x, fake, k)) for x in real]
    return hits.any(axis=1).mean(), np.mean(recalled), hits.sum() / (k * len(fake)), hits.any(axis=0).mean()


def scores(real, fake, k):
    return (*precision_recall(real, fake, k), *density_coverage(real, fake, k))


@given(seed=st.integers(0, 2**31), n=st.integers(4, 12), m=st.integers(4, 12), k=st.integers(1, 3))
def test_scores_agree_with_double_loops_also_for_equal_distances(seed, n, m, k):
    """On a coarse lattice many samples are copies or lie exactly on the edge of a ball."""
    for grain in (0.0, 1.0):
        real, fake = (drawn(seed + i, size) for i, size in enumerate((n, m)))
        if grain:
            real, fake = np.round(real / grain) * grain, np.round(fake / grain) * grain
        found = scores(real, fake, k)
        np.testing.assert_allclose(found, by_loops(real, fake, k), atol=1e-12)
        assert precision_recall(fake, real, k) == precision_recall(real, fake, k)[::-1]
        moved = scores(real[::-1] * 8 - 4096, fake[::-1] * 8 - 4096, k)
        np.testing.assert_allclose(moved, found, atol=1e-12)


def test_features_far_from_zero_get_the_same_scores():
    """Squares of these numbers are rounded by more than the distances."""
    real, fake = np.round(drawn(0, 40)), np.round(drawn(1, 40))
    assert scores(real + 2.0**40, fake + 2.0**40, 2) == scores(real, fake, 2)


def test_equal_and_disjoint_sets():
    real = drawn(0, 60).astype(np.float32)
    assert scores(real, real, 3) == pytest.approx(
        (1, 1, 4 / 3, 1)
    )  # a ball holds its own centre and k others
    assert scores(real, real + 100, 3) == (0, 0, 0, 0)


def test_missing_half_of_the_modes_halves_recall_and_coverage():
    random = np.random.default_rng(0)
    centers = 100 * np.arange(4.0)[:, None] * np.ones(2)
    real = np.concatenate([c + random.normal(size=(100, 2)) for c in centers])
    fake = np.concatenate([c + random.normal(size=(200, 2)) for c in centers[:2]])
    precision, recall, density, coverage = scores(real, fake, 5)
    assert precision > 0.9
    assert recall == pytest.approx(0.5, abs=0.03)
    assert density == pytest.approx(1, abs=0.1)  # density only says that fakes are where real samples are
    assert coverage == pytest.approx(0.5, abs=0.01)


def test_one_repeated_sample_is_precise_and_covers_very_little():
    real = drawn(0, 100)
    precision, recall, _, coverage = scores(real, np.repeat(real[:1], 100, axis=0), 3)
    assert precision == 1
    assert recall == 0.01  # the sample that is repeated
    assert coverage < 0.15


def test_noise_is_outside_the_manifold_and_fake_outliers_raise_recall_but_not_coverage():
    """Naeem et al. 2020, figure 2: the ball of an outlier contains all real samples."""
    real = drawn(0, 100, d=8)
    noise = 30 * drawn(1, 100, d=8)
    precision, recall, density, coverage = scores(real, noise, 3)
    assert (precision, density, coverage) == (0, 0, 0)
    assert recall > 0.9


def test_real_samples_get_what_the_docstring_says():
    n, k = 100, 5
    found = [density_coverage(drawn(2 * s, n), drawn(2 * s + 1, n), k) for s in range(40)]
    density, coverage = np.mean(found, axis=0)
    others = np.arange(1, k + 1)
    expected = 1 - np.prod((n - others) / (2 * n - others))
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(expected, abs=0.01)


def test_the_size_of_blocks_does_not_matter(monkeypatch):
    real, fake = drawn(0, 50), drawn(1, 41)
    whole = scores(real, fake, 3)
    monkeypatch.setattr(manifold, "_BLOCK", 7)
    assert scores(real, fake, 3) == whole


@pytest.mark.parametrize("score", [precision_recall, density_coverage])
def test_wrong_arguments_are_refused_in_one_line(score):
    a = drawn(0, 6)
    for k in (0, 5, 2.5):
        with pytest.raises(ValueError, match=rf"^k must be a whole number in 1\.\.4 \(.*\), got {k}$"):
            score(a, a[:5], k)
    with pytest.raises(ValueError, match=r"^real must be floats of shape \(n, d\), got int64"):
        score(a.astype(int), a)
    with pytest.raises(ValueError, match=r"^fake holds NaN or infinity"):
        score(a, np.full_like(a, np.inf))
    with pytest.raises(
        ValueError, match=r"^real and fake must have the same number of features, got 3 and 2"
    ):
        score(a, a[:, :2])
