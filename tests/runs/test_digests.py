"""Named steps, and how far two states are apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.runs.digests import VALUES, is_named, next_named, relative_differences, witness


def test_the_named_steps():
    assert [step for step in range(1001) if is_named(step)] == [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]


@given(st.integers(0, 2**31))
def test_the_next_is_named_and_none_lies_between(step):
    after = next_named(step)
    assert after > step
    assert is_named(after)
    assert next_named(after - 1) == after
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
