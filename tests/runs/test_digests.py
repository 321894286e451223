"""Steps with digests, and relative differences of two states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.runs.digests import VALUES, is_digest_step, next_digest_step, relative_differences, witness


def test_the_steps_with_digests():
    steps = [step for step in range(1001) if is_digest_step(step)]
    assert steps == [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]


@given(st.integers(0, 2**31))
def test_the_next_step_with_a_digest(step):
    after = next_digest_step(step)
    assert after > step
    assert is_digest_step(after)
    assert next_digest_step(after - 1) == after
    assert after <= max(1, 2.5 * step)


def test_a_witness_has_first_and_last_value_and_all_of_what_is_small():
    arrays = {"large": np.arange(1000, dtype=np.float32).reshape(10, 100), "small": np.float32([[3, 4]])}
    large, small = witness({**arrays, "scalar": np.int32(7)})[:2]
    assert (large[0], large[-1]) == (0, 999)
    assert (np.diff(large) > 0).all()
    np.testing.assert_array_equal(small[:2], [3, 4])
    assert np.isnan(small[2:]).all()
    assert witness(arrays).shape == (2, VALUES)
    assert witness(arrays).dtype == np.float32


@pytest.mark.parametrize(
    ("ours", "theirs", "apart"),
    [
        ([1, 2], [1, 2], 0),
        ([1, 2.5], [1, 2], 0.25),
        ([1, np.nan], [2, np.nan], 0.5),  # padded
        ([0, 0], [0, 0], 0),
        ([1, 0], [0, 0], np.inf),
        ([np.nan, 1], [2, 1], np.inf),
        ([np.inf, 1], [2, 1], np.inf),
        ([np.inf, 1], [np.inf, 1], 0),
    ],
)
def test_how_far_apart(ours, theirs, apart):
    assert relative_differences(np.float32([ours]), np.float32([theirs])) == [apart]
