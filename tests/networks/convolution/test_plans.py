"""Which convolutions have a plan, and that the tiles cover exactly what the convolution uses."""

import pytest
from geometries import CHANNELS, tiled
from hypothesis import given
from jax import export

from ganjax.networks.convolution.minimal_filtering import POINTS
from ganjax.networks.convolution.operations import Geometry
from ganjax.networks.convolution.plans import plan_for


def square(size, kernel, stride, padding=(1, 1)):
    return Geometry((size, size), (kernel, kernel), (stride, stride), (padding, padding))


@given(tiled())
def test_tiles_cover_what_the_convolution_uses_and_returns(geometry):
    plan = plan_for(geometry, CHANNELS, batch=2)
    assert plan is not None
    per_axis = zip(
        plan,
        geometry.feature_size,
        geometry.kernel_size,
        geometry.strides,
        geometry.image_size,
        geometry.padding,
        strict=True,
    )
    for axis, features, window, stride, size, (low, high) in per_axis:
        assert (axis.tile, axis.taps) in POINTS
        assert axis.points == axis.tile + axis.taps - 1
        assert axis.features == axis.tile * axis.tiles == features
        assert axis.taps * stride == window
        # From the first to the last pixel in a window: at most a stride less than the whole image.
        assert axis.length == axis.stride * axis.blocks == stride * (features - 1) + window
        assert 0 <= size + low + high - axis.length < stride
        before, after, between = axis.padding
        assert (before, between) == (low, 0)
        assert before + size + after == axis.length


@pytest.mark.parametrize(
    ("geometry", "forms"),
    [
        (square(8, 4, 2), {(2, 2), (4, 2)}),
        (square(8, 2, 1, (0, 1)), {(2, 2), (4, 2)}),
        (square(8, 3, 1), {(2, 3), (4, 3)}),
        (square(12, 6, 3, (2, 1)), {(2, 2), (4, 2)}),
        (square(12, 6, 2, (2, 2)), {(2, 3)}),
        (square(4, 4, 2), {(2, 2)}),
        (Geometry((8, 6), (4, 3), (2, 1), ((1, 1), (1, 1))), {(2, 2), (2, 3)}),
    ],
    ids=lambda value: str(value) if isinstance(value, set) else None,
)
def test_convolutions_with_a_plan(geometry, forms):
    plan = plan_for(geometry, (16, 16), batch=8)
    assert plan is not None
    assert {(axis.tile, axis.taps) for axis in plan} <= forms


@pytest.mark.parametrize(
    ("geometry", "channels", "batch"),
    [
        (square(8, 5, 2, (2, 2)), (16, 16), 8),
        (square(8, 3, 2), (16, 16), 8),
        (square(8, 2, 2, (0, 0)), (16, 16), 8),
        (square(8, 5, 1, (2, 2)), (16, 16), 8),
        (square(6, 4, 2), (16, 16), 8),
        (square(4, 4, 4, (0, 0)), (16, 16), 8),
        (Geometry((8, 8), (4, 5), (2, 2), ((1, 1), (2, 2))), (16, 16), 8),
        (Geometry((8,), (4,), (2,), ((1, 1),)), (16, 16), 8),
        (Geometry((8,) * 3, (4,) * 3, (2,) * 3, ((1, 1),) * 3), (16, 16), 8),
        (square(8, 4, 2), (16, 1), 8),
        (square(8, 4, 2), (1, 16), 8),
        (square(8, 4, 2), (16, 16), 0),
    ],
    ids=[
        "stride leaves a rest of the window",
        "stride leaves a rest of a window of three",
        "one tap",
        "five taps",
        "odd features",
        "one feature",
        "one axis of two",
        "one dimension",
        "three dimensions",
        "one channel of features",
        "one channel of images",
        "no images",
    ],
)
def test_convolutions_without_a_plan(geometry, channels, batch):
    assert plan_for(geometry, channels, batch) is None


def test_the_tile_gives_the_fewest_numbers_to_transform():
    """25 products for 16 outputs are better for large images, 9 products for 4 outputs for large kernels."""
    large_images = plan_for(square(64, 4, 2), (8, 8), batch=64)
    large_kernel = plan_for(square(8, 4, 2), (512, 512), batch=1)
    assert large_images is not None
    assert large_kernel is not None
    assert {axis.tile for axis in large_images} == {4}
    assert {axis.tile for axis in large_kernel} == {2}


def test_both_axes_have_the_same_tile():
    """Heights and widths of 4 and 2 features are both multiples of two."""
    plan = plan_for(Geometry((8, 4), (4, 4), (2, 2), ((1, 1), (1, 1))), CHANNELS, batch=2)
    assert plan is not None
    assert [axis.tile for axis in plan] == [2, 2]


def test_a_batch_of_unknown_size_has_the_plan_of_a_usual_one():
    (unknown,) = export.symbolic_shape("batch")
    usual = plan_for(square(8, 4, 2), (32, 64), 64)
    assert usual is not None
    assert plan_for(square(8, 4, 2), (32, 64), unknown) == usual
    assert plan_for(square(8, 4, 2), (2, 64), unknown) is None
