"""Random geometries of convolutions that fit into tiles, for the property tests."""

from hypothesis import strategies as st

from ganjax.networks.convolution.minimal_filtering import POINTS
from ganjax.networks.convolution.operations import Geometry

CHANNELS = (3, 4)
"""Of the images and of the features: different numbers, so that tests notice if they are exchanged."""


@st.composite
def tiled(draw):
    """A geometry with a plan; size, stride, window and padding differ between height and width."""
    axes = [draw(_tiled_axis()) for _ in range(2)]
    return Geometry(*zip(*axes, strict=True))


@st.composite
def _tiled_axis(draw):
    tile, taps = draw(st.sampled_from(sorted(POINTS)))
    stride = draw(st.integers(1, 3))
    features = tile * draw(st.integers(1, 2))
    # The last window need not end where the padded image does; padding is negative where it crops.
    padded = stride * (features + taps - 1) + draw(st.integers(0, stride - 1))
    low = draw(st.integers(-2, 3))
    size = draw(st.integers(max(1, padded - low - 3), padded - low + 2))
    return size, stride * taps, stride, (low, padded - low - size)
