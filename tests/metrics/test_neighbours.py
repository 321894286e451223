"""Nearest neighbours against a search of all pairs, and memorisation in known cases."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ganjax.metrics import memorisation, nearest, neighbours


def drawn(seed, n, d=6):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def bytes_drawn(seed, n, size=4):
    return np.random.default_rng(seed).integers(0, 256, size=(n, size, size, 3)).astype(np.uint8)


def by_pairs(queries, references):
    a, b = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (queries, references))
    return np.linalg.norm(a[:, None] - b[None], axis=2)


@given(
    seed=st.integers(0, 2**31),
    n=st.sampled_from([1, 7]),
    m=st.sampled_from([1, 24]),
    block=st.sampled_from([5, 64]),
)
def test_nearest_agrees_with_a_search_of_all_pairs(seed, n, m, block):
    # So far from zero, a product is rounded by more than the distances.
    queries, references = drawn(seed, n) + 4096, drawn(seed + 1, m) + 4096
    pairs = by_pairs(queries, references)
    found = nearest(queries, references, block=block)
    np.testing.assert_array_equal(found.indices, pairs.argmin(axis=1))
    np.testing.assert_allclose(found.distances, pairs.min(axis=1), rtol=1e-6)
    turned = nearest(-queries, -references, block=block)
    np.testing.assert_array_equal(turned.indices, found.indices)


def test_copies_have_distance_zero_and_one_grey_level_is_found():
    """One level in 3 072 numbers is less than the rounding error of their sum of squares in float32."""
    training = bytes_drawn(0, 30, size=32)
    almost, nearly = training.copy(), training.copy()
    almost[:, 0, 0, 0] ^= 1
    nearly[:, 5, 5, 1] ^= 1
    found = nearest(almost, np.concatenate([nearly, almost[::-1], training]), block=64)
    np.testing.assert_array_equal(found.indices, 30 + np.arange(30)[::-1])
    np.testing.assert_array_equal(found.distances, 0.0)
    np.testing.assert_allclose(nearest(almost, training).distances, 1 / 127.5, rtol=1e-4)


def test_bytes_are_pixels_from_minus_one_to_one():
    queries, references = bytes_drawn(0, 5), bytes_drawn(1, 9)
    floats = [(x / 127.5 - 1).astype(np.float32) for x in (queries, references)]
    found = nearest(queries, references)
    np.testing.assert_allclose(found.distances, nearest(*floats).distances, rtol=1e-5)
    np.testing.assert_allclose(found.distances, nearest(queries, floats[1]).distances, rtol=1e-5)


def test_a_second_search_of_the_same_shapes_compiles_nothing():
    nearest(drawn(0, 40), drawn(1, 60), block=16)
    compiled = neighbours._smallest_scores._cache_size()
    nearest(drawn(2, 40), drawn(3, 60), block=16)
    assert neighbours._smallest_scores._cache_size() == compiled


@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=30), st.lists(st.integers(0, 6), min_size=2, max_size=30)
)
def test_z_agrees_with_scipy_also_with_ties(a, b):
    a, b = np.array(a, float), np.array(b, float)
    z = neighbours.mann_whitney(a, b)
    assert neighbours.mann_whitney(b, a) == pytest.approx(-z)
    if len(np.unique([*a, *b])) == 1:
        assert z == 0
    else:
        theirs = scipy.stats.mannwhitneyu(a, b, use_continuity=False, method="asymptotic", alternative="less")
        assert scipy.stats.norm.cdf(z) == pytest.approx(theirs.pvalue)


def test_fresh_samples_are_no_copies():
    """z has mean 0 and standard deviation 1 between draws, and the shares are those of real samples."""
    found = [memorisation(drawn(4 * s, 200), drawn(4 * s + 1, 200), drawn(4 * s + 2, 200)) for s in range(40)]
    z = np.array([each.z for each in found])
    assert abs(z.mean()) < 4 / np.sqrt(40)
    assert 0.6 < z.std() < 1.5
    assert np.mean([each.share_closer for each in found]) == pytest.approx(0.015, abs=0.008)
    assert np.mean([each.share_prefers_training for each in found]) == pytest.approx(0.5, abs=0.03)
    assert found[0].expected_preference == 0.5


def test_copies_of_training_pictures_are_found():
    training, fresh = bytes_drawn(0, 60), bytes_drawn(1, 40)
    noise = np.random.default_rng(2).integers(-8, 9, size=(50, 4, 4, 3))
    nearly = np.clip(training[:50].astype(int) + noise, 0, 255).astype(np.uint8)
    for samples, median in ((training[:50], 0), (nearly, 0.27)):
        found = memorisation(samples, training, fresh)
        assert found.z < -7
        assert found.share_closer == found.share_prefers_training == 1
        assert found.sample_median == pytest.approx(median, abs=0.03)
        assert found.held_out_median > 2
    assert found.expected_preference == 0.6


def test_a_few_copies_among_good_samples_are_found_by_their_share():
    """With one sample in twenty copied, z hardly changes."""
    training, fresh = drawn(0, 300), drawn(1, 300)
    samples = np.concatenate([training[:15], drawn(2, 285)])
    found = memorisation(samples, training, fresh)
    clean = memorisation(drawn(3, 300), training, fresh)
    assert found.z > -4
    assert found.share_closer > clean.share_closer + 0.03


def test_one_training_picture_repeated_is_found():
    training, fresh = drawn(0, 100), drawn(1, 100)
    found = memorisation(np.repeat(training[:1], 100, axis=0), training, fresh)
    assert found.z < -10
    assert found.share_prefers_training == 1


def test_blur_lowers_z_but_prefers_no_set():
    """Blurred samples are closer to both sets, so they are no closer to one than to the other."""
    found = memorisation(0.2 * drawn(2, 300), drawn(0, 300), drawn(1, 300))
    assert found.z < -8
    assert found.share_prefers_training == pytest.approx(0.5, abs=0.1)


def test_noise_is_further_away():
    found = memorisation(3 * drawn(2, 100), drawn(0, 100), drawn(1, 100))
    assert found.z > 8
    assert found.share_closer < 0.02


def test_if_all_pictures_are_equal_no_copies_are_found():
    same = np.repeat(bytes_drawn(0, 1), 10, axis=0)
    assert memorisation(same, same, same) == (0.0, 1.0, 0.5, 0.5, 0.0, 0.0)


@pytest.mark.parametrize("call", [nearest, lambda a, b: memorisation(b, a, b)])
def test_wrong_arguments_are_refused_in_one_line(call):
    good = drawn(0, 5)
    for bad, message in [
        (
            good[0],
            r"must be uint8 or floats of shape \(n, \.\.\.\), one sample a row, got float32 of shape \(6,\)$",
        ),
        (good.astype(int), r"must be uint8 or floats of shape \(n, \.\.\.\), one sample a row, got int64"),
        (good[:, :5], r"must have the same shape, got \(.*\) and \(.*\)$"),
        (good[:0], r"^\w+ must "),
        (good * np.inf, "holds NaN or infinity"),
    ]:
        with pytest.raises(ValueError, match=message) as caught:
            call(bad, good)
        assert "\n" not in str(caught.value)


def test_block_must_be_a_number():
    with pytest.raises(ValueError, match=r"^block must be a whole number in 1"):
        nearest(drawn(0, 5), drawn(1, 5), block=0)
    with pytest.raises(ValueError, match=r"^training must hold at least 2 samples, got 1$"):
        memorisation(drawn(0, 5), drawn(1, 1), drawn(2, 5))
