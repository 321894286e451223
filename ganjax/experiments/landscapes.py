"""Landscapes: distributions of points that can be plotted, all learned with the same recipe."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar

from ganjax.experiments.points import Points
from ganjax.experiments.ranges import (
    Batch,
    Decay,
    LearningRate,
    PositivePenaltyWeight,
    Range,
    Steps,
    StepsOrNever,
)
from ganjax.system.keras_settings import default_keras_settings

if TYPE_CHECKING:
    from ganjax.gan import GAN


@dataclasses.dataclass(frozen=True, kw_only=True)
class Landscape(Points):
    """A distribution of points, learned by two MLPs.

    The recipe is that of R3GAN (Huang et al. 2024): relativistic pairing loss with R1 and R2 on every step,
    their weight annealed, Adam without momentum, cosine decay. The discriminator takes the point and random
    Fourier features of it, with frequencies from the scale of the data to the finest detail. The latent has
    two normal coordinates and ten random signs, so that separate modes need not be connected. A linear map of
    the latent beside the generator's hidden layers gives modes their tails. Lengths are in units of the root
    mean square of the data, so that one recipe works for all landscapes.
    """

    steps: Steps = 12_000
    """Number of updates of the generator."""
    batch: Batch = 512
    """Real samples per update; as many are generated."""
    log_every: Steps = 50
    """Number of steps between rows of metrics.csv."""
    picture_every: StepsOrNever = 500
    """Number of steps between pictures (frames of film.gif); 0 for none."""
    width: Annotated[int, Range(1, 4096)] = 128
    """Units in each of the three hidden layers of both networks."""
    learning_rate: LearningRate = 1.5e-3
    """Initial learning rate of the generator's Adam (b1 0, b2 0.99); decays to 0 (cosine)."""
    discriminator_learning_rate: LearningRate = 2.5e-3
    """The same for the discriminator; larger, so that it stays ahead (Heusel et al. 2017,
    https://arxiv.org/abs/1706.08500)."""
    penalty: PositivePenaltyWeight = 0.3
    """Initial weight (gamma) of R1 and of R2."""
    final_penalty: PositivePenaltyWeight = 0.1
    """Final weight of R1 and of R2; it changes by the same factor in every step."""
    signs: Annotated[int, Range(0, 1024)] = 10
    """Number of latent coordinates that are -1 or +1; two more are normal."""
    finest: Annotated[float, Range(1, 10_000)] = 80.0
    """Highest of eight scales of D's Fourier frequencies, in radians per unit length; the lowest is 0.8."""
    ema_decay: Decay = 0.99
    """Decay per step of the averaged generator (EMA); longer averages make modes narrower."""

    dim: ClassVar[int] = 2
    extent: ClassVar[float] = 1.0  # the picture shows [-extent, extent]^2 of the first two coordinates
    scale: ClassVar[float] = 1.0  # root mean square of all coordinates of the data: the unit of length

    @property
    def distribution(self) -> type[Landscape]:
        return type(self)

    @cached_property
    @default_keras_settings()
    def gan(self) -> GAN:
        import numpy as np
        import optax

        from ganjax import losses
        from ganjax.gan import GAN
        from ganjax.latents import NormalAndSigns
        from ganjax.networks import dense
        from ganjax.penalties import R1, R2

        def adam(rate: float) -> optax.GradientTransformation:
            return optax.adam(optax.cosine_decay_schedule(rate, self.steps), b1=0.0, b2=0.99)

        widths = [self.width] * 3
        weight = optax.exponential_decay(
            self.penalty * self.scale**2, self.steps, self.final_penalty / self.penalty
        )
        return GAN(
            dense.mlp(
                self.dim + self.signs,
                widths,
                self.dim,
                activation="silu",
                kernel_initializer="he_normal",
                output_scale=self.scale,
                skip=True,
                name="generator",
            ),
            dense.mlp(
                self.dim,
                widths,
                1,
                activation="leaky_relu",
                kernel_initializer="he_normal",
                fourier_features=128,
                fourier_scale=np.geomspace(0.8, self.finest, 8).tolist(),
                input_scale=self.scale,
                name="discriminator",
            ),
            loss=losses.relativistic_pairing,
            penalties=(R1(weight), R2(weight)),
            generator_optimizer=adam(self.learning_rate),
            discriminator_optimizer=adam(self.discriminator_learning_rate),
            latent=NormalAndSigns(self.signs),
            ema_decay=self.ema_decay,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ring(Landscape):
    """Eight Gaussians on a circle.

    ganjax train ring

    Ten seeds: 8 of 8 modes each time, 99.0 +- 0.1 % of the samples within 3 sigma of a mode (real ones:
    98.9 %), reverse KL .0020 +- .0004; in seven of ten an energy test cannot tell 2500 samples from real
    ones.
    """

    name: ClassVar[str] = "ring"
    extent: ClassVar[float] = 1.5
    scale: ClassVar[float] = 0.707


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid(Landscape):
    """Twenty-five Gaussians on a grid.

    ganjax train grid

    Ten seeds: 25 of 25 modes each time, 98.7 +- 0.1 % of the samples within 3 sigma of a mode (real ones:
    98.9 %), reverse KL .0057 +- .0004; in all ten an energy test cannot tell 2500 samples from real ones.
    """

    name: ClassVar[str] = "grid"
    extent: ClassVar[float] = 5.0
    scale: ClassVar[float] = 2.83


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid100(Landscape):
    """A hundred Gaussians on a 10 x 10 grid.

    ganjax train grid-100

    Four seeds: 100 of 100 modes, 92 +- 1 % of the samples within 3 sigma of a mode; the others are near one.
    """

    name: ClassVar[str] = "grid-100"
    extent: ClassVar[float] = 10.0
    scale: ClassVar[float] = 5.75


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cube(Landscape):
    """Twenty-seven Gaussians in space, 3 x 3 x 3.

    ganjax train cube

    One seed: 27 of 27 modes, reverse KL .0047 (real points: .0053). The picture shows the first two
    coordinates: nine clusters of three modes each.
    """

    name: ClassVar[str] = "cube"
    dim: ClassVar[int] = 3
    extent: ClassVar[float] = 3.0
    scale: ClassVar[float] = 1.63


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnbalancedRing(Landscape):
    """Eight Gaussians on a circle; the most frequent has 20 times the weight of the rarest.

    ganjax train unbalanced-ring

    One seed: 8 of 8 modes, reverse KL .0099 (real points: .0005). Weights rise around the circle, from
    1.8 % at (1, 0) to 36 %.
    """

    name: ClassVar[str] = "unbalanced-ring"
    extent: ClassVar[float] = 1.5
    scale: ClassVar[float] = 0.707


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thousand(Landscape):
    """A thousand Gaussians in ten dimensions.

    ganjax train thousand

    This recipe does not learn it: one seed captured none of 1000 modes, although the overall place and shape
    are right. The picture shows the first two of ten coordinates, in which modes overlap.
    """

    name: ClassVar[str] = "thousand"
    dim: ClassVar[int] = 10
    extent: ClassVar[float] = 12.5
    scale: ClassVar[float] = 3.15


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spiral(Landscape):
    """Two interleaved spiral arms.

    ganjax train spiral

    One seed: points all along both arms and none between them; an energy test cannot tell 2500 samples from
    real ones (p .32).
    """

    name: ClassVar[str] = "spiral"
    extent: ClassVar[float] = 3.8
    scale: ClassVar[float] = 1.57


@dataclasses.dataclass(frozen=True, kw_only=True)
class Swissroll(Landscape):
    """The swiss roll, seen from its end.

    ganjax train swissroll

    One seed: points all along the roll and none between its turns; an energy test cannot tell 2500 samples
    from real ones (p .76).
    """

    name: ClassVar[str] = "swissroll"
    extent: ClassVar[float] = 2.3
    scale: ClassVar[float] = 0.925


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moons(Landscape):
    """Two interlocking half circles.

    ganjax train moons

    One seed: points all along both; an energy test cannot tell 2500 samples from real ones (p .22).
    """

    name: ClassVar[str] = "moons"
    extent: ClassVar[float] = 2.4
    scale: ClassVar[float] = 0.81


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkerboard(Landscape):
    """The dark squares of a checkerboard, filled evenly.

    ganjax train checkerboard

    One seed: eight squares of points with slightly soft edges; an energy test cannot tell 2500 samples from
    real ones (p .79).
    """

    name: ClassVar[str] = "checkerboard"
    extent: ClassVar[float] = 4.5
    scale: ClassVar[float] = 2.31


_ALL: tuple[type[Landscape], ...] = (
    Ring, Grid, Grid100, Cube, UnbalancedRing, Thousand, Spiral, Swissroll, Moons, Checkerboard,
)  # fmt: skip
LANDSCAPES: dict[str, type[Landscape]] = {landscape.name: landscape for landscape in _ALL}
