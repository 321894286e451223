"""Published recipes with the settings of their papers, for any landscape; PacGAN's are in `pacgan.py`."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar

from ganjax.experiments.pacgan import PacGAN1, PacGAN2, PacGAN4
from ganjax.experiments.ranges import Batch, Decay, LearningRate, PenaltyWeight, Range, Steps
from ganjax.experiments.recipe import Recipe, Width
from ganjax.system.keras_settings import default_keras_settings

if TYPE_CHECKING:
    from ganjax.gan import GAN


@dataclasses.dataclass(frozen=True, kw_only=True)
class WGANGP(Recipe):
    """Wasserstein GAN with gradient penalty.

    ganjax train wgan-gp --landscape swissroll

    Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028: algorithm 1 (five updates of D, then one of G),
    and for points the authors' code: both networks 3 x 512 ReLU, latent N(0, I_2), lambda 0.1, Adam 1e-4
    with b1 0.5 and b2 0.9, batch 256, 100 000 updates of G. One difference: their data are scaled to about
    unit variance.
    """

    name: ClassVar[str] = "wgan-gp"

    width: Width = 512
    """Units in each of the three hidden layers of both networks."""
    learning_rate: LearningRate = 1e-4
    """Learning rate of both Adam optimisers (b1 0.5, b2 0.9)."""
    penalty: PenaltyWeight = 0.1
    """Weight (lambda) of the gradient penalty."""
    discriminator_updates: Annotated[int, Range(1, 100)] = 5
    """Updates of the discriminator per update of the generator."""

    @cached_property
    @default_keras_settings()
    def gan(self) -> GAN:
        import optax

        from ganjax import losses, penalties
        from ganjax.gan import GAN

        adam = optax.adam(self.learning_rate, b1=0.5, b2=0.9)
        return GAN(
            *self.pair(self.width),
            loss=losses.wasserstein,
            penalties=(penalties.WGANGP(self.penalty),),
            generator_optimizer=adam,
            discriminator_optimizer=adam,
            update="alternating",
            discriminator_updates=self.discriminator_updates,
            ema_decay=0.0,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LSGAN(Recipe):
    """Least squares GAN.

    ganjax train lsgan --landscape grid

    Mao et al. 2017, https://arxiv.org/abs/1611.04076: the labels 0 and 1 of equation 9; for points "a
    simple architecture" of three dense layers and 40 000 steps (section 4.3). What the section does not say
    is taken from section 4.1 (Adam 1e-3 with b1 0.5, batch 64) and from Metz et al. 2017, which it follows
    (128 ReLU units).
    """

    name: ClassVar[str] = "lsgan"

    steps: Steps = 40_000
    """Number of updates of the generator."""
    batch: Batch = 64
    """Real samples per update; as many are generated."""
    width: Width = 128
    """Units in both hidden layers of both networks."""
    learning_rate: LearningRate = 1e-3
    """Learning rate of both Adam optimisers (b1 0.5, b2 0.999)."""

    @cached_property
    @default_keras_settings()
    def gan(self) -> GAN:
        import optax

        from ganjax import losses
        from ganjax.gan import GAN
        from ganjax.networks.dense import mlp

        adam = optax.adam(self.learning_rate, b1=0.5)
        return GAN(
            mlp(2, [self.width] * 2, self.dim, name="generator"),
            mlp(self.dim, [self.width] * 2, 1, name="discriminator"),
            loss=losses.least_squares,
            generator_optimizer=adam,
            discriminator_optimizer=adam,
            update="alternating",
            ema_decay=0.0,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class HingeSN(Recipe):
    """Hinge loss with spectral normalisation.

    ganjax train hinge-sn --landscape grid

    Miyato et al. 2018, https://arxiv.org/abs/1802.05957: equations 16 and 17, every kernel of D normalised
    by one power iteration (section 2.1). As for its residual networks (section 4.2): Adam 2e-4 with b1 0 and
    b2 0.9, five updates of D per update of G, batch 64, 50 000 updates of G. The paper has no experiment on
    points.
    """

    name: ClassVar[str] = "hinge-sn"

    steps: Steps = 50_000
    """Number of updates of the generator."""
    batch: Batch = 64
    """Real samples per update; as many are generated."""
    width: Width = 512
    """Units in each of the three hidden layers of both networks."""
    learning_rate: LearningRate = 2e-4
    """Learning rate of both Adam optimisers (b1 0, b2 0.9)."""
    discriminator_updates: Annotated[int, Range(1, 100)] = 5
    """Updates of the discriminator per update of the generator."""

    @cached_property
    @default_keras_settings()
    def gan(self) -> GAN:
        import optax

        from ganjax import losses
        from ganjax.gan import GAN
        from ganjax.networks.dense import mlp
        from ganjax.networks.published import spectral_discriminator

        adam = optax.adam(self.learning_rate, b1=0.0, b2=0.9)
        widths = [self.width] * 3
        return GAN(
            mlp(2, widths, self.dim, name="generator"),
            spectral_discriminator(self.dim, widths),
            loss=losses.hinge,
            generator_optimizer=adam,
            discriminator_optimizer=adam,
            update="alternating",
            discriminator_updates=self.discriminator_updates,
            ema_decay=0.0,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class R1GAN(Recipe):
    """GAN with the R1 penalty.

    ganjax train r1 --landscape grid

    Mescheder et al. 2018, https://arxiv.org/abs/1801.04406: cross-entropy with R1 on every step (equation
    9), gamma 10, RMSProp 1e-4 with decay 0.99, alternating updates, batch 128, G averaged with decay 0.999,
    all as in its section 5 for images. The paper's experiments on points are lines and circles without modes.
    """

    name: ClassVar[str] = "r1"

    batch: Batch = 128
    """Real samples per update; as many are generated."""
    width: Width = 512
    """Units in each of the three hidden layers of both networks."""
    learning_rate: LearningRate = 1e-4
    """Learning rate of both RMSProp optimisers (decay 0.99)."""
    penalty: PenaltyWeight = 10.0
    """Weight (gamma) of the R1 penalty."""
    ema_decay: Decay = 0.999
    """Decay per step of the averaged generator (EMA)."""

    @cached_property
    @default_keras_settings()
    def gan(self) -> GAN:
        import optax

        from ganjax import penalties
        from ganjax.gan import GAN

        rmsprop = optax.rmsprop(self.learning_rate, decay=0.99, eps=1e-8)
        return GAN(
            *self.pair(self.width, "leaky_relu"),
            penalties=(penalties.R1(self.penalty),),
            generator_optimizer=rmsprop,
            discriminator_optimizer=rmsprop,
            update="alternating",
            ema_decay=self.ema_decay,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unrolled(Recipe):
    """Unrolled GAN: the gradient of G goes through ten future updates of D.

    ganjax train unrolled

    Metz et al. 2017, https://arxiv.org/abs/1611.02163, section 3.1 and appendix A: G 2 x 128 ReLU from N(0,
    I_256), D one ReLU layer on the point divided by 4, kernels orthogonal times 0.8, ten unrolled updates
    (of Adam, as in the authors' notebook), Adam 1e-4 with b1 0.5, batch 512, 25 000 steps. Its ring has
    radius 2 and sigma 0.02.
    """

    name: ClassVar[str] = "unrolled"

    steps: Steps = 25_000
    """Number of updates of the generator."""
    batch: Batch = 512
    """Real samples per update; as many are generated."""
    width: Width = 128
    """Units in the hidden layers of both networks."""
    learning_rate: LearningRate = 1e-4
    """Learning rate of both Adam optimisers (b1 0.5, b2 0.999)."""
    unrolling: Annotated[int, Range(0, 100)] = 10
    """Number of unrolled updates of the discriminator."""

    @cached_property
    @default_keras_settings()
    def gan(self) -> GAN:
        import optax

        from ganjax import losses
        from ganjax.gan import GAN
        from ganjax.networks import published

        # The gradient of G goes through the square root of the second moment, which has no derivative at 0.
        adam = optax.adam(self.learning_rate, b1=0.5, eps_root=1e-16)
        return GAN(
            published.unrolled_generator(self.dim, self.width),
            published.unrolled_discriminator(self.dim, self.width),
            loss=losses.zero_sum,
            generator_optimizer=adam,
            discriminator_optimizer=adam,
            update="alternating",
            unrolling=self.unrolling,
            ema_decay=0.0,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class R3GAN(Recipe):
    """R3GAN: relativistic pairing loss with R1 and R2, all settings annealed.

    ganjax train r3gan --landscape grid

    Huang et al. 2024, https://arxiv.org/abs/2501.05441: equation 2 with R1 and R2 on every step (section
    2), and its settings for StackedMNIST, where it counts modes too (appendix): Adam with b1 0, batch 512,
    cosine schedules of learning rate (2e-4 to 5e-5), b2 (0.9 to 0.99) and gamma (1 to 0.1), G averaged with
    decay 0.999. There the schedules cover the first part of training, here all of it.
    """

    name: ClassVar[str] = "r3gan"

    batch: Batch = 512
    """Real samples per update; as many are generated."""
    width: Width = 512
    """Units in each of the three hidden layers of both networks."""
    learning_rate: LearningRate = 2e-4
    """Initial learning rate of both Adam optimisers (b1 0, b2 0.9 to 0.99); decays to a quarter of it."""
    penalty: PenaltyWeight = 1.0
    """Initial weight (gamma) of R1 and of R2; decays to a tenth of it."""
    ema_decay: Decay = 0.999
    """Decay per step of the averaged generator (EMA)."""

    @cached_property
    @default_keras_settings()
    def gan(self) -> GAN:
        import optax

        from ganjax import losses, penalties
        from ganjax.gan import GAN

        def cosine(start: float, end: float) -> optax.Schedule:
            fall = optax.cosine_decay_schedule(1.0, self.steps)
            return lambda step: end + (start - end) * fall(step)

        rate = cosine(self.learning_rate, self.learning_rate / 4)
        adam = optax.inject_hyperparams(optax.adam)(rate, b1=0.0, b2=cosine(0.9, 0.99))
        gamma = cosine(self.penalty, self.penalty / 10)
        return GAN(
            *self.pair(self.width, "leaky_relu"),
            loss=losses.relativistic_pairing,
            penalties=(penalties.R1(gamma), penalties.R2(gamma)),
            generator_optimizer=adam,
            discriminator_optimizer=adam,
            update="alternating",
            ema_decay=self.ema_decay,
        )


_ALL: tuple[type[Recipe], ...] = (
    PacGAN1, PacGAN2, PacGAN4, WGANGP, LSGAN, HingeSN, R1GAN, Unrolled, R3GAN,
)  # fmt: skip
PUBLISHED: dict[str, type[Recipe]] = {recipe.name: recipe for recipe in _ALL}
