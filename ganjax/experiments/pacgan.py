"""The recipes of Table 1 of the PacGAN paper."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from ganjax.experiments.ranges import Batch, LearningRate, Steps, StepsOrNever
from ganjax.experiments.recipe import Recipe, Width
from ganjax.system.errors import UserError
from ganjax.system.keras_settings import default_keras_settings

if TYPE_CHECKING:
    from ganjax.gan import GAN


@dataclasses.dataclass(frozen=True, kw_only=True)
class PacGAN1(Recipe):
    """The GAN of PacGAN's Table 1: BatchNormalization in G, maxout in D.

    ganjax train pacgan1 --landscape grid

    Lin et al. 2018, https://arxiv.org/abs/1712.04086, section 4.1, and the authors' code. G: four layers of
    400 with BatchNormalization and ReLU, from N(0, I_2). D: three maxout layers of 200 units and 5 pieces.
    Cross-entropy, simultaneous updates, Adam 1e-4 with b1 0.8, 400 epochs of 1 000 batches of 100. One
    difference: the paper draws 100 000 samples once, here every batch is new.
    """

    name: ClassVar[str] = "pacgan1"
    packing: ClassVar[int] = 1

    steps: Steps = 400_000
    """Number of updates of the generator."""
    batch: Batch = 100
    """Real samples per update; as many are generated."""
    picture_every: StepsOrNever = 20_000
    """Number of steps between pictures (frames of film.gif); 0 for none."""
    generator_width: Width = 400
    """Units in each of the four hidden layers of the generator."""
    discriminator_width: Width = 200
    """Maxout units in each of the three hidden layers of the discriminator."""
    learning_rate: LearningRate = 1e-4
    """Learning rate of both Adam optimisers (b1 0.8, b2 0.999)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch % self.packing:
            raise UserError(
                f"--batch must be a multiple of {self.packing}, the size of a pack, got {self.batch}"
            )

    @cached_property
    @default_keras_settings()
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

    As pacgan1, but D sees two samples at once. A batch is 100 packs, as in the authors' code. There, G is
    batch-normalised over the first samples of all packs, then over the second ones; here over all of them.
    """

    name: ClassVar[str] = "pacgan2"
    packing: ClassVar[int] = 2

    batch: Batch = 200
    """Real samples per update, two in each pack; as many are generated."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PacGAN4(PacGAN1):
    """PacGAN with four samples in a pack.

    ganjax train pacgan4 --landscape grid

    As pacgan2, but with four samples in a pack.
    """

    name: ClassVar[str] = "pacgan4"
    packing: ClassVar[int] = 4

    batch: Batch = 400
    """Real samples per update, four in each pack; as many are generated."""
