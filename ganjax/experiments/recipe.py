"""What published recipes have in common: they are played on any landscape.

On the landscape as it is, in its own units, with fresh samples at every step. Where a paper has no
experiment on points, its settings for images stand with the networks of `WGANGP`: 3 x 512 ReLU. Initial
weights are Keras's unless a recipe says otherwise, and the latest generator counts unless the paper
averages.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from ganjax.experiments.landscapes import LANDSCAPES, Landscape
from ganjax.experiments.points import Points
from ganjax.experiments.ranges import Batch, Range, Steps, StepsOrNever

Width = Annotated[int, Range(1, 4096)]
Ground = Literal[
    "ring", "grid", "grid-100", "cube", "unbalanced-ring", "thousand",
    "spiral", "swissroll", "moons", "checkerboard",
]  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe(Points):
    """A published GAN on a landscape."""

    landscape: Ground = "ring"
    """Whose points are learnt."""
    steps: Steps = 100_000
    """Updates of the generator."""
    batch: Batch = 256
    """Real samples in an update, and generated ones beside them."""
    log_every: Steps = 500
    """Steps from one row of metrics.csv to the next."""
    picture_every: StepsOrNever = 10_000
    """Steps from one picture (and frame of film.gif) to the next; 0 for none."""

    @property
    def ground(self) -> type[Landscape]:
        return LANDSCAPES[self.landscape]

    @property
    def dim(self) -> int:
        """Coordinates of a point."""
        return self.ground.dim

    def pair(self, width: int, activation: str = "relu") -> tuple[Any, Any]:
        """Generator and discriminator of three hidden layers."""
        from ganjax.networks.dense import mlp

        return mlp(2, [width] * 3, self.dim, activation, name="generator"), mlp(
            self.dim, [width] * 3, 1, activation, name="discriminator"
        )
