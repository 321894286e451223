"""The kernel distance against MMD^2 as two nested loops, and on sets whose distance is known."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.metrics import kernel_distance

KEY = jax.random.key(0)


def drawn(seed, n, d=4):
    return np.random.default_rng(seed).normal(size=(n, d))


def kernel(x, y):
    return (x @ y / len(x) + 1) ** 3


def by_loops(a, b):
    """Unbiased MMD^2, a pair at a time."""
    among_a = [kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j]
    among_b = [kernel(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j]
    between = [kernel(x, y) for x in a for y in b]
    return np.mean(among_a) + np.mean(among_b) - 2 * np.mean(between)


def from_all(a, b):
    return kernel_distance(a, b, key=KEY, subsets=1).mean


@given(seed=st.integers(0, 2**31), n=st.integers(2, 12), m=st.integers(2, 12), d=st.integers(1, 5))
def test_from_all_samples_is_mmd_by_loops(seed, n, m, d):
    a, b = drawn(seed, n, d), drawn(seed + 1, m, d) + 1
    assert from_all(a, b) == pytest.approx(by_loops(a, b), rel=1e-9, abs=1e-9)
    assert from_all(b, a) == pytest.approx(from_all(a, b), rel=1e-9, abs=1e-9)
    assert from_all(a[::-1], b) == pytest.approx(from_all(a, b), rel=1e-9, abs=1e-9)
    turn = np.linalg.qr(drawn(seed + 2, d, d))[0]
    assert from_all(a @ turn, b @ turn) == pytest.approx(from_all(a, b), rel=1e-9, abs=1e-9)


def test_is_unbiased_for_few_samples_and_many():
    """Real against real is 0 on average whatever n; a shift of 1 in every coordinate is what it is."""
    for n in (5, 50):
        same = [from_all(drawn(2 * s, n), drawn(2 * s + 1, n)) for s in range(200)]
        assert abs(np.mean(same)) < 4 * np.std(same) / np.sqrt(200)
        assert min(same) < 0 < max(same)
    shifted = {n: [from_all(drawn(2 * s, n), drawn(2 * s + 1, n) + 1) for s in range(200)] for n in (10, 100)}
    error = np.std(shifted[10]) / np.sqrt(200)
    assert np.mean(shifted[10]) == pytest.approx(np.mean(shifted[100]), abs=4 * error)
    assert np.mean(shifted[10]) > 4 * error


def test_subsets_scatter_about_the_estimate_from_all_and_smaller_ones_further():
    a, b = drawn(0, 400), drawn(1, 400) + 0.5
    small = kernel_distance(a, b, key=KEY, subsets=200, subset_size=20)
    large = kernel_distance(a, b, key=KEY, subsets=200, subset_size=100)
    whole = from_all(a, b)
    assert large.standard_deviation < small.standard_deviation / 1.5
    for found in (small, large):
        assert found.mean == pytest.approx(whole, abs=4 * found.standard_deviation / np.sqrt(200))


def test_one_key_gives_one_answer_and_another_key_another():
    a, b = drawn(0, 60), drawn(1, 60)
    first, again, other = (
        kernel_distance(a, b, key=key, subsets=5, subset_size=20)
        for key in (KEY, jax.random.key(0), jax.random.key(1))
    )
    assert first == again
    assert first != other


def test_mistakes_are_said_in_one_line():
    a = drawn(0, 10)
    with pytest.raises(ValueError, match=r"^subsets must be a whole number in 1\.\.100000 \(.*\), got 0$"):
        kernel_distance(a, a, key=KEY, subsets=0)
    with pytest.raises(
        ValueError, match=r"^subset_size must be a whole number in 2\.\.100000 \(.*\), got 1$"
    ):
        kernel_distance(a, a, key=KEY, subset_size=1)
    with pytest.raises(ValueError, match="of one width, got 4 and 3"):
        kernel_distance(a, a[:, :3], key=KEY)
    with pytest.raises(TypeError, match="a PRNG key is needed"):
        kernel_distance(a, a, key=0)  # type: ignore[arg-type]
