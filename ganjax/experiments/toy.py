"""The course's toy experiment: two Gaussians on a line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ganjax.experiments.base import Experiment
from ganjax.experiments.ranges import LearningRate, Range, Steps, StepsOrNever

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

    def score(self, state: GANState, source: Resident, key: jax.Array) -> dict[str, float]:
        from ganjax import sampling

        fake = sampling.generate(self.gan, state, key, self.batch)
        return {
            "real_mean": float(source.array.mean()),
            "generated_mean": float(fake.mean()),
            "real_std": float(source.array.std()),
            "generated_std": float(fake.std()),
        }
