"""Random geometries of convolutions that Winograd's form serves, for the property tests."""

from hypothesis import strategies as st

from ganjax.networks.convolution.minimal_filtering import POINTS
from ganjax.networks.convolution.operations import Geometry

CHANNELS = (3, 4)
"""Of the images and of the features: not the same, so that neither is taken for the other."""


@st.composite
def tiled(draw):
    """A geometry with a plan: height and width of their own in size, stride, window and padding."""
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
