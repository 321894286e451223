"""F(tile, taps) is exact: the three matrices compute a filter with fewer multiplications."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.networks.convolution.minimal_filtering import POINTS, minimal_filtering


@pytest.fixture(params=sorted(POINTS), ids=lambda form: f"F{form}")
def form(request):
    return request.param


@given(data=st.data())
def test_computes_the_filter(form, data):
    tile, taps = form
    points = tile + taps - 1
    integers = st.integers(-1000, 1000)
    inputs = np.array(data.draw(st.lists(integers, min_size=points, max_size=points)), np.float64)
    coefficients = np.array(data.draw(st.lists(integers, min_size=taps, max_size=taps)), np.float64)
    A, G, B = (matrix.astype(np.float64) for matrix in minimal_filtering(tile, taps))
    outputs = A.T @ ((G @ coefficients) * (B @ inputs))
    # A and B are exact in float32. Thirds in G are not: half a unit in their last place is 2 ** -25 of them,
    # and what they are multiplied by sums to at most the absolute values below.
    rounding = 2.0**-24 * np.abs(A.T) @ (np.abs(G) @ np.abs(coefficients) * (np.abs(B) @ np.abs(inputs)))
    error = np.abs(outputs - np.correlate(inputs, coefficients, "valid"))
    assert (error <= rounding).all()


def test_shapes_and_dtype(form):
    tile, taps = form
    points = tile + taps - 1
    A, G, B = minimal_filtering(tile, taps)
    assert (A.shape, G.shape, B.shape) == ((points, tile), (points, taps), (points, points))
    assert A.dtype == G.dtype == B.dtype == np.float32


def test_what_multiplies_images_is_whole_numbers(form):
    _, _, B = minimal_filtering(*form)
    np.testing.assert_array_equal(B, np.round(B))


def test_points_are_distinct_and_as_many_as_the_form_needs(form):
    tile, taps = form
    # The last point is infinity.
    assert len(set(POINTS[form])) == len(POINTS[form]) == tile + taps - 2


def test_known_matrices_of_the_smallest_form():
    """F(2, 2) by hand, in three multiplications: f0 (x0 - x1), (f0 + f1) x1 and f1 (x2 - x1)."""
    A, G, B = minimal_filtering(2, 2)
    x, f = np.array([3, 5, 7], np.float32), np.array([2, -1], np.float32)
    np.testing.assert_array_equal(sorted((G @ f) * (B @ x)), sorted([2 * (3 - 5), (2 - 1) * 5, -1 * (7 - 5)]))
    np.testing.assert_array_equal(A.T @ ((G @ f) * (B @ x)), [2 * 3 - 5, 2 * 5 - 7])


def test_sizes_without_points_are_refused():
    with pytest.raises(KeyError):
        minimal_filtering(5, 5)
