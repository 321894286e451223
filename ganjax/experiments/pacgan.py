"""The recipes of PacGAN's first table."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from ganjax.experiments.ranges import Batch, LearningRate, Steps, StepsOrNever
from ganjax.experiments.recipe import Recipe, Width
from ganjax.system.errors import UserError

if TYPE_CHECKING:
    from ganjax.gan import GAN


@dataclasses.dataclass(frozen=True, kw_only=True)
class PacGAN1(Recipe):
    """GAN as in PacGAN's first table: BatchNormalization in G, maxout in D.

    ganjax train pacgan1 --landscape grid

    Lin et al. 2018, https://arxiv.org/abs/1712.04086, section 4.1, and the authors' code. G: four layers of
    400 with BatchNormalization and ReLU, from N(0, I_2). D: three maxout layers of 200 units and 5 pieces.
    Cross-entropy, both updates at once, Adam 1e-4 with b1 0.8, 400 epochs of 1 000 batches of 100. One
    thing differs: the paper's 100 000 samples are drawn once.
    """

    name: ClassVar[str] = "pacgan1"
    packing: ClassVar[int] = 1

    steps: Steps = 400_000
    """Updates of the generator."""
    batch: Batch = 100
    """Real samples in an update, and generated ones beside them."""
    picture_every: StepsOrNever = 20_000
    """Steps from one picture (and frame of film.gif) to the next; 0 for none."""
    generator_width: Width = 400
    """Units in each of the four hidden layers of the generator."""
    discriminator_width: Width = 200
    """Maxout units in each of the three hidden layers of the discriminator."""
    learning_rate: LearningRate = 1e-4
    """Of both Adams (b1 0.8, b2 0.999)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch % self.packing:
            raise UserError(
                f"--batch must be a multiple of {self.packing}, the size of a pack, got {self.batch}"
            )

    @cached_property
    def gan(self) -> GAN:
        import optax

        from ganjax.gan import GAN
        from ganjax.networks import published

        adam = optax.adam(self.learning_rate, b1=0.8)
        return GAN(
            published.pacgan_generator(self.dim, self.generator_width),
            published.pacgan_discriminator(self.packing * self.dim, self.discriminator_width),
            packing=self.packing,
            generator_optimizer=adam,
            discriminator_optimizer=adam,
            ema_decay=0.0,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PacGAN2(PacGAN1):
    """PacGAN with two samples in a pack.

    ganjax train pacgan2 --landscape grid

    As pacgan1, and D sees two samples at once. A batch is 100 packs, as in the authors' code. There G is
    normalised over the first samples of all packs, then over the second; here over all.
    """

    name: ClassVar[str] = "pacgan2"
    packing: ClassVar[int] = 2

    batch: Batch = 200
    """Real samples in an update, two in each pack, and generated ones beside them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PacGAN4(PacGAN1):
    """PacGAN with four samples in a pack.

    ganjax train pacgan4 --landscape grid

    As pacgan2, with four.
    """

    name: ClassVar[str] = "pacgan4"
    packing: ClassVar[int] = 4

    batch: Batch = 400
    """Real samples in an update, four in each pack, and generated ones beside them."""
