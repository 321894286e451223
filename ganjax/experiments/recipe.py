"""What published recipes have in common: they can be trained on any landscape.

Points are not rescaled, and fresh ones are drawn at every step. If a paper has no experiment on points, its
settings for images are used with the networks of `WGANGP`: 3 x 512 ReLU. Initial weights are Keras's unless a
recipe says otherwise, and the generator is averaged only if the paper averages it.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from ganjax.experiments.landscapes import LANDSCAPES, Landscape
from ganjax.experiments.points import Points
from ganjax.experiments.ranges import Batch, Range, Steps, StepsOrNever

Width = Annotated[int, Range(1, 4096)]
LandscapeName = Literal[
    "ring", "grid", "grid-100", "cube", "unbalanced-ring", "thousand",
    "spiral", "swissroll", "moons", "checkerboard",
]  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe(Points):
    """A published GAN on a landscape."""

    landscape: LandscapeName = "ring"
    """The distribution to learn."""
    steps: Steps = 100_000
    """Number of updates of the generator."""
    batch: Batch = 256
    """Real samples per update; as many are generated."""
    log_every: Steps = 500
    """Number of steps between rows of metrics.csv."""
    picture_every: StepsOrNever = 10_000
    """Number of steps between pictures (frames of film.gif); 0 for none."""

    @property
    def distribution(self) -> type[Landscape]:
        return LANDSCAPES[self.landscape]

    @property
    def dim(self) -> int:
        """Coordinates of a point."""
        return self.distribution.dim

    def pair(self, width: int, activation: str = "relu") -> tuple[Any, Any]:
        """Generator and discriminator of three hidden layers."""
        from ganjax.networks.dense import mlp

        return mlp(2, [width] * 3, self.dim, activation, name="generator"), mlp(
            self.dim, [width] * 3, 1, activation, name="discriminator"
        )
