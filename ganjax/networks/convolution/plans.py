"""Plans that divide a convolution into tiles for Winograd's algorithm, and the choice of such a plan."""

from __future__ import annotations

from typing import Any, NamedTuple

from ganjax.networks.convolution.minimal_filtering import POINTS
from ganjax.networks.convolution.operations import Geometry


class Axis(NamedTuple):
    """One spatial axis of a convolution that is divided into tiles.

    Attributes:
        tile: outputs in a tile.
        taps: window / stride.
        stride: of the convolution.
        tiles: number of tiles.
        size: of the image.
        low: padding of the image at its low end, negative where it is cropped.
    """

    tile: int
    taps: int
    stride: int
    tiles: int
    size: int
    low: int

    @property
    def points(self) -> int:
        return self.tile + self.taps - 1

    @property
    def blocks(self) -> int:
        """Length of the padded image in strides."""
        return self.tile * self.tiles + self.taps - 1

    @property
    def length(self) -> int:
        return self.stride * self.blocks

    @property
    def features(self) -> int:
        return self.tile * self.tiles

    @property
    def padding(self) -> tuple[int, int, int]:
        return self.low, self.length - self.size - self.low, 0


Plan = tuple[Axis, Axis]

USUAL_BATCH = 64  # stands for the size of a batch that a program is exported for, not knowing it
LEAST_CHANNELS = 3  # with fewer channels, such as the one of a logit, transforms cost more than they save


def plan_for(geometry: Geometry, channels: tuple[int, int], batch: Any) -> Plan | None:
    """The plan for a convolution, or None if it does not fit into tiles or Winograd's algorithm is not
    faster. `batch` is a number, or a symbolic dimension of `jax.export`.

    Of the tile sizes that fit, it has the one with the fewest numbers to transform: large tiles for large
    images with few channels, small tiles for large kernels.
    """
    image_channels, feature_channels = channels
    batch = batch if isinstance(batch, int) else USUAL_BATCH
    if len(geometry.image_size) != 2 or min(channels) < LEAST_CHANNELS or batch == 0:
        return None
    plans = []
    for tile in (2, 4):
        axes = [
            Axis(tile, window // stride, stride, features // tile, size, low)
            for window, stride, features, size, (low, _) in zip(
                geometry.kernel_size,
                geometry.strides,
                geometry.feature_size,
                geometry.image_size,
                geometry.padding,
                strict=True,
            )
            if window % stride == 0 and features % tile == 0 and (tile, window // stride) in POINTS
        ]
        if len(axes) == 2:
            plans.append((axes[0], axes[1]))

    def numbers(plan: Plan) -> int:
        height, width = plan
        inner = height.stride * width.stride * image_channels
        places = height.tiles * width.tiles * batch
        products = inner * places + feature_channels * places + inner * feature_channels
        return height.points * width.points * products

    return min(plans, key=numbers, default=None)
