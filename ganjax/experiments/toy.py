"""Toy experiments: the course's two Gaussians on a line, and landscapes in the plane."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ganjax.experiments.base import Experiment
from ganjax.experiments.ranges import Batch, Decay, LearningRate, PenaltyWeight, Range, Steps, StepsOrNever

if TYPE_CHECKING:
    import jax

    from ganjax.datasets.batches import Resident, Source
    from ganjax.gan import GAN
    from ganjax.state import GANState


@dataclasses.dataclass(frozen=True, kw_only=True)
class OriginalToy(Experiment):
    """The course's GAN on a line: real values N(10, 1), one Dense(1) against another.

    ganjax train original-toy

    Seconds. The generated histogram walks over the real one and past it (two Adams at 0.5, updated
    simultaneously, orbit their goal); of all epochs the one is kept where D is most at a loss: where the mean
    probability of ranking a generated value above a real one is nearest 0.5. A linear discriminator cannot
    see the width of a distribution, so only the means meet.

    Two things differ from the course. It looks at D's mean output on generated values alone, which is near
    0.5 by chance after two epochs already; and it stops after 20 epochs, when the means are still up to 3.3
    apart (seeds 0 to 4).
    """

    name: ClassVar[str] = "original-toy"
    select_every: ClassVar[int] = 1
    select_by: ClassVar[str] = "distance of the ranking probability from 0.5"

    steps: Steps = 30
    """Epochs, each one update on all the real values."""
    batch: Annotated[int, Range(1, 46_340)] = 5000  # its square counts samples in 32 bits
    """How many real values there are; all of them are in every update."""
    log_every: Steps = 1
    """Steps from one row of metrics.csv to the next."""
    picture_every: StepsOrNever = 1
    """Steps from one picture (and frame of film.gif) to the next; 0 for none."""
    learning_rate: LearningRate = 0.5
    """Of both Adams (b1 0.5, b2 0.8), as in the course."""

    @cached_property
    def gan(self) -> GAN:
        import optax

        from ganjax.gan import GAN, Normal
        from ganjax.networks import dense

        adam = optax.adam(self.learning_rate, b1=0.5, b2=0.8)
        return GAN(
            dense.linear_generator(),
            dense.linear_discriminator(),
            generator_optimizer=adam,
            discriminator_optimizer=adam,
            latent=Normal(scale=10.0),
            ema_decay=0.0,  # the course has no averaging
        )

    def load(self, progress: bool) -> tuple[Source, Mapping[str, Any]]:
        import jax

        from ganjax.datasets import batches, toy

        values = toy.gaussian(jax.random.key(self.seed), self.batch)
        return batches.Whole(values), {"name": "gaussian", "count": self.batch}

    def draw(self, path: Path, state: GANState, source: Resident, key: jax.Array) -> None:
        from ganjax import sampling, viewing

        ax = viewing.plot_distribution(
            source.array,
            sampling.generate(self.gan, state, key, self.batch),
            lambda x: sampling.discriminate(self.gan, state, x),
        )
        viewing.save_figure(path, ax.figure)

    def distance(self, state: GANState, source: Resident, key: jax.Array) -> float:
        import jax.numpy as jnp

        from ganjax import sampling

        fake = sampling.generate(self.gan, state, key, self.batch)
        real_logits = sampling.discriminate(self.gan, state, source.array).ravel()
        fake_logits = sampling.discriminate(self.gan, state, fake).ravel()
        # How many of the real logits lie below each fake one: the Mann-Whitney statistic.
        below = jnp.searchsorted(jnp.sort(real_logits), fake_logits)
        return abs(float(below.mean()) / self.batch - 0.5)

    def judge(self, state: GANState, source: Resident, key: jax.Array) -> dict[str, float]:
        from ganjax import sampling

        fake = sampling.generate(self.gan, state, key, self.batch)
        return {
            "real_mean": float(source.array.mean()),
            "generated_mean": float(fake.mean()),
            "real_std": float(source.array.std()),
            "generated_std": float(fake.std()),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Landscape(Experiment):
    """A distribution in the plane, learnt by a pair of MLPs.

    The recipe is R3GAN's (Huang et al. 2024): relativistic pairing loss with R1 and R2 on every step, Adam
    without momentum, cosine decay; the discriminator sees the point and random Fourier features of it.
    """

    steps: Steps = 10_000
    """Updates of the generator."""
    batch: Batch = 256
    """Real samples in an update, and generated ones beside them."""
    log_every: Steps = 50
    """Steps from one row of metrics.csv to the next."""
    picture_every: StepsOrNever = 500
    """Steps from one picture (and frame of film.gif) to the next; 0 for none."""
    width: Annotated[int, Range(1, 4096)] = 128
    """Units in each of the three hidden layers of both networks."""
    learning_rate: LearningRate = 1e-3
    """Of both Adams (b1 0, b2 0.99) at the start; it decays to 0 on a cosine."""
    penalty: PenaltyWeight = 0.1
    """Weight (gamma) of R1 and of R2."""
    fourier_scale: Annotated[float, Range(0, 1000, "(]")] = 2.0
    """Standard deviation of the Fourier features' frequencies, in radians per unit of length."""
    ema_decay: Decay = 0.999
    """Of the averaged generator."""

    extent: ClassVar[float] = 1.0  # the picture shows [-extent, extent]^2

    @property
    def sample(self) -> Callable[[jax.Array, int], jax.Array]:
        """`(key, n) -> (n, 2)` float32 real points: the function of this name in `datasets.toy`."""
        from ganjax.datasets import toy

        return getattr(toy, self.name)

    @cached_property
    def gan(self) -> GAN:
        import optax

        from ganjax import losses
        from ganjax.gan import GAN
        from ganjax.networks import dense
        from ganjax.penalties import R1, R2

        adam = optax.adam(optax.cosine_decay_schedule(self.learning_rate, self.steps), b1=0.0, b2=0.99)
        widths = [self.width] * 3
        return GAN(
            dense.mlp(2, widths, 2, name="generator"),
            dense.mlp(
                2,
                widths,
                1,
                activation="leaky_relu",
                fourier_features=self.width,
                fourier_scale=self.fourier_scale,
                name="discriminator",
            ),
            loss=losses.relativistic_pairing,
            penalties=(R1(self.penalty), R2(self.penalty)),
            generator_optimizer=adam,
            discriminator_optimizer=adam,
            ema_decay=self.ema_decay,
        )

    def load(self, progress: bool) -> tuple[Source, Mapping[str, Any]]:
        from ganjax.datasets.batches import Sampled

        return Sampled(self.sample), {"name": self.name}

    def draw(self, path: Path, state: GANState, source: Source, key: jax.Array) -> None:
        from ganjax import sampling, viewing

        fake = sampling.generate(self.gan, state, key, 2000)
        ax = viewing.plot_landscape(
            self.sample(key, 2000),
            fake,
            lambda x: sampling.discriminate(self.gan, state, x),
            limits=(-self.extent, self.extent, -self.extent, self.extent),
        )
        viewing.save_figure(path, ax.figure)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Mixture(Landscape):
    """A landscape of equal Gaussians, scored by the modes captured."""

    def judge(self, state: GANState, source: Source, key: jax.Array) -> dict[str, float]:
        from ganjax import metrics, sampling
        from ganjax.datasets import toy

        centers = getattr(toy, f"{self.name}_centers")()
        sigma = getattr(toy, f"{self.name.upper()}_SIGMA")
        scores = metrics.count_modes(sampling.generate(self.gan, state, key, 2500), centers, sigma)
        return {name: float(value) for name, value in scores._asdict().items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ring(_Mixture):
    """Eight Gaussians on a circle.

    ganjax train ring

    38 s on 2 cores (AVX-512). Eight of eight modes with seeds 0, 1 and 2, and 97 to 99 % of the samples
    within 3 sigma of one; the rest lies on the way from one mode to the next.
    """

    name: ClassVar[str] = "ring"
    extent: ClassVar[float] = 1.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid(_Mixture):
    """Twenty-five Gaussians on a grid.

    ganjax train grid

    45 s on 2 cores (AVX-512). All 25 modes with seeds 0, 1 and 2, and 93 to 95 % of the samples
    within 3 sigma of one.
    """

    name: ClassVar[str] = "grid"
    extent: ClassVar[float] = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spiral(Landscape):
    """Two interleaved spiral arms.

    ganjax train spiral

    Under a minute on 2 cores (AVX-512). Points all along both arms, a few between them.
    """

    name: ClassVar[str] = "spiral"
    extent: ClassVar[float] = 3.8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Swissroll(Landscape):
    """The swiss roll, seen from its end.

    ganjax train swissroll

    Under a minute on 2 cores (AVX-512). Points all along the roll, a few between its turns.
    """

    name: ClassVar[str] = "swissroll"
    extent: ClassVar[float] = 2.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moons(Landscape):
    """Two interlocking half circles.

    ganjax train moons

    Under a minute on 2 cores (AVX-512). Points along both, a few where they come close.
    """

    name: ClassVar[str] = "moons"
    extent: ClassVar[float] = 2.4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkerboard(Landscape):
    """The dark squares of a checkerboard, filled evenly.

    ganjax train checkerboard

    Under a minute on 2 cores (AVX-512). Eight squares of points, their edges a little soft.
    """

    name: ClassVar[str] = "checkerboard"
    extent: ClassVar[float] = 4.5
