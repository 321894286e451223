"""The course's toy experiment: two Gaussians on a line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ganjax.experiments.base import Experiment
from ganjax.experiments.ranges import LearningRate, Range, Steps, StepsOrNever
from ganjax.system.keras_settings import default_keras_settings

if TYPE_CHECKING:
    import jax

    from ganjax.datasets.batches import Resident, Source
    from ganjax.gan import GAN
    from ganjax.state import GANState


@dataclasses.dataclass(frozen=True, kw_only=True)
class OriginalToy(Experiment):
    """The course's GAN in one dimension: real values N(10, 1), both networks are one Dense(1).

    ganjax train original-toy

    Takes seconds. The generated histogram moves to the real one and past it, because two Adam optimisers with
    learning rate 0.5 and simultaneous updates oscillate around the optimum. The epoch is selected in which D
    separates the two worst: where the probability that D ranks a generated value above a real one is nearest
    0.5. A linear discriminator cannot see the width of a distribution, so only the means will be equal.

    Two things differ from the course. The course selects by D's mean output on generated values alone, which
    is near 0.5 by chance after two epochs already; and it stops after 20 epochs, when the means still differ
    by up to 3.3 (seeds 0 to 4).
    """

    name: ClassVar[str] = "original-toy"
    keras_defaults: ClassVar[bool] = True
    select_every: ClassVar[int] = 1
    select_by: ClassVar[str] = "distance of the ranking probability from 0.5"

    steps: Steps = 30
    """Number of epochs; each is one update on all real values."""
    batch: Annotated[int, Range(1, 46_340)] = 5000  # its square counts samples in 32 bits
    """Number of real values; every update uses all of them."""
    log_every: Steps = 1
    """Number of steps between rows of metrics.csv."""
    picture_every: StepsOrNever = 1
    """Number of steps between pictures (frames of film.gif); 0 for none."""
    learning_rate: LearningRate = 0.5
    """Learning rate of both Adam optimisers (b1 0.5, b2 0.8), as in the course."""

    @cached_property
    @default_keras_settings()
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
            ema_decay=0.0,  # the course does not average
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
        # The number of real logits below each fake one: the Mann-Whitney statistic.
        below = jnp.searchsorted(jnp.sort(real_logits), fake_logits)
        return abs(float(below.mean()) / self.batch - 0.5)

    def score(self, state: GANState, source: Resident, key: jax.Array) -> dict[str, float]:
        from ganjax import sampling

        fake = sampling.generate(self.gan, state, key, self.batch)
        return {
            "real_mean": float(source.array.mean()),
            "generated_mean": float(fake.mean()),
            "real_std": float(source.array.std()),
            "generated_std": float(fake.std()),
        }
