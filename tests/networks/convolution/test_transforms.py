"""The maps to and from tiles: linear, each the adjoint of another, together a convolution."""

import functools

import jax
import numpy as np
import pytest
from geometries import CHANNELS, tiled
from hypothesis import given, settings

from ganjax.networks.convolution import transforms
from ganjax.networks.convolution.operations import Geometry
from ganjax.networks.convolution.plans import plan_for

BATCH = 3

PAIRS = {
    "image": (transforms.image_to_tiles, transforms.tiles_to_image),
    "features": (transforms.features_to_tiles, transforms.tiles_to_features),
    "kernel": (transforms.kernel_to_tiles, transforms.tiles_to_kernel),
}

ODD = Geometry((13, 6), (4, 3), (2, 1), ((-1, -1), (3, 1)))
"""An odd height, of which padding crops two rows and windows leave out one, and a different width."""


def shape_of(kind, geometry):
    c, d = CHANNELS
    return {
        "image": (c, *geometry.image_size, BATCH),
        "features": (d, *geometry.feature_size, BATCH),
        "kernel": (*geometry.kernel_size, c, d),
    }[kind]


def whole_numbers(seed, shape):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def assert_close(actual, expected):
    """Within float32 rounding of numbers up to some hundreds."""
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-4)


def inner(x, y):
    """The inner product in float64, and that of the absolute values."""
    products = np.asarray(x, np.float64) * np.asarray(y, np.float64)
    return products.sum(), np.abs(products).sum()


@pytest.mark.parametrize("kind", PAIRS)
@settings(max_examples=6)
@given(geometry=tiled())
def test_each_pair_is_adjoint(kind, geometry):
    plan = plan_for(geometry, CHANNELS, BATCH)
    forward, backward = (jax.jit(functools.partial(map_, plan)) for map_ in PAIRS[kind])
    x = whole_numbers(0, shape_of(kind, geometry))
    there = forward(x)
    y = whole_numbers(1, there.shape)
    back = backward(y)
    assert back.shape == x.shape
    assert there.dtype == back.dtype == np.float32
    (one, scale), (other, _) = inner(there, y), inner(x, back)
    # Every entry is a float32 sum of at most 36 terms, and the two maps may round differently.
    assert abs(one - other) <= 1e-5 * scale


@pytest.mark.parametrize("kind", PAIRS)
def test_the_adjoint_is_the_derivative_in_both_directions(kind):
    forward, backward = (functools.partial(map_, plan_for(ODD, CHANNELS, BATCH)) for map_ in PAIRS[kind])
    x = whole_numbers(0, shape_of(kind, ODD))
    y = whole_numbers(1, jax.eval_shape(forward, x).shape)
    # The vector-Jacobian product of a linear map is its adjoint, whatever computes it.
    for there, back, primal, cotangent in ((forward, backward, x, y), (backward, forward, y, x)):

        @jax.jit
        def derivative(primal, cotangent, there=there):
            return jax.vjp(there, primal)[1](cotangent)[0]

        assert_close(derivative(primal, cotangent), jax.jit(back)(cotangent))


@pytest.mark.parametrize("kind", PAIRS)
def test_maps_work_with_vmap(kind):
    plan = plan_for(ODD, CHANNELS, BATCH)
    forward, backward = (jax.jit(functools.partial(map_, plan)) for map_ in PAIRS[kind])
    x = whole_numbers(0, (2, *shape_of(kind, ODD)))
    tiles = jax.vmap(forward)(x)
    assert_close(tiles, [forward(each) for each in x])
    assert_close(jax.vmap(backward)(tiles), [backward(each) for each in tiles])


@settings(max_examples=3)
@given(tiled())
def test_a_kernel_by_features_is_the_same_tiles_transposed(geometry):
    plan = plan_for(geometry, CHANNELS, BATCH)
    kernel = whole_numbers(0, shape_of("kernel", geometry))
    by_features, tiles = jax.jit(
        lambda k: (transforms.kernel_to_tiles_by_features(plan, k), transforms.kernel_to_tiles(plan, k))
    )(kernel)
    np.testing.assert_array_equal(by_features, tiles.swapaxes(1, 2))


def test_pixels_outside_all_windows_are_in_no_tile():
    """The padding of ODD crops its first and last row, and its windows end before the second last row."""
    unread = [0, 11, 12]
    image = whole_numbers(0, shape_of("image", ODD))
    changed = image.copy()
    changed[:, unread] += 100
    plan = plan_for(ODD, CHANNELS, BATCH)
    np.testing.assert_array_equal(
        transforms.image_to_tiles(plan, changed), transforms.image_to_tiles(plan, image)
    )
    back = transforms.tiles_to_image(plan, transforms.image_to_tiles(plan, image))
    np.testing.assert_array_equal(back[:, unread], 0)
