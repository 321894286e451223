"""GAN: the immutable description of a GAN between two networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import keras
import optax

from ganjax import stateless
from ganjax.checks import as_transformation, check_floats, check_gan, check_logits, check_network
from ganjax.latents import Normal as Normal
from ganjax.latents import standard_normal
from ganjax.losses import Loss, binary_cross_entropy
from ganjax.networks.fast import fast_networks
from ganjax.penalties import Penalty
from ganjax.stateless.variables import Snapshot, seeds

Latent = Callable[[jax.Array, tuple[int, ...]], jax.Array]
Augment = Callable[[jax.Array, jax.Array], jax.Array]

dcgan_adam = optax.adam(2e-4, b1=0.5, b2=0.999)
"""Adam as in DCGAN (Radford et al. 2016, section 4) and in the original cartoon system."""


@dataclasses.dataclass(frozen=True)
class GAN:
    """Two networks, what each minimises, and how. The weights they hold are not used: training starts fresh.

    `init_state` draws every weight that is trained from a key, also for a model loaded from a file. What
    training does not change is taken from the models as it is when the GAN is made: weights of frozen layers
    (`trainable = False`), what `adapt` computed. Nothing in the models is changed.

    As in Keras, regularizers and `add_loss` add to what a network minimises, and constraints are applied
    after each of its updates. Random layers draw from the run's key: a new mask in every pass.

    Frozen and hashable. A GAN whose models have been changed since raises ValueError when it is used.

    Attributes:
        generator: built Keras model, latent `(batch, *latent_shape)` -> samples `(batch, *sample_shape)`.
        discriminator: built Keras model, samples -> logits `(batch, ...)`, one per sample or a patch of them;
            logits, so no sigmoid at the end.
            Both models of a conditional GAN take labels `(batch, *label_shape)` as their second input.
        loss: what each network minimises, a pair from `ganjax.losses`.
        penalties: terms added to the discriminator's loss, from `ganjax.penalties`.
        generator_optimizer, discriminator_optimizer: any optax transformations, schedules and
            `optax.MultiSteps` included. They are also given `value`, all that the network minimises, and
            `grad`, but no `value_fn`.
        latent: `(key, shape) -> float32 array`, the distribution the generator draws from.
        augment: `(key, samples) -> samples`, differentiable, from `ganjax.augmentations`: real and generated
            samples alike pass through it on their way to the discriminator (Zhao et al. 2020, eq. 2 and 3).
        packing: m samples that D sees as one, side by side on the last axis of its input: a batch of b makes
            b / m packs, and these are what loss and penalties are about; not with labels (Lin et al. 2018,
            https://arxiv.org/abs/1712.04086, section 2.2).
        ema_decay: d in [0, 1) of `ema <- d_t ema + (1 - d_t) weights`, `d_t = min(d, (1 + t) / (10 + t))` at
            step t; the generator so averaged is what `generate` uses.
        update: "simultaneous": both gradients at the same point, from one forward pass of G, one D(real), one
            D(fake), one draw of the latent. "alternating": G is updated against the new discriminator, with
            a fresh draw.
        discriminator_updates: n updates of D for each one of G; `real` then holds n batches in a row.
        unrolling: updates of D that G's gradient passes through, in alternating updates (with the
            loss `zero_sum`, Metz et al. 2017, https://arxiv.org/abs/1611.02163).
        transform: applied to each network's forward function before it is differentiated; must not change
            its values. None leaves convolutions and sines to XLA, which is several times slower on a CPU.

    Raises:
        ValueError, TypeError: a model is not built or has nothing to train, the generator's output does not
            fit the discriminator, an optimiser cannot update these weights, or a field is out of its range.

    Warns:
        UserWarning: the discriminator ends in a sigmoid or softmax.
    """

    generator: keras.Model
    discriminator: keras.Model
    loss: Loss = binary_cross_entropy
    penalties: tuple[Penalty, ...] = ()
    generator_optimizer: optax.GradientTransformation = dcgan_adam
    discriminator_optimizer: optax.GradientTransformation = dcgan_adam
    latent: Latent = standard_normal
    augment: Augment | None = None
    packing: int = 1
    ema_decay: float = 0.999
    update: Literal["simultaneous", "alternating"] = "simultaneous"
    discriminator_updates: int = 1
    unrolling: int = 0
    transform: Callable[[Callable[..., Any]], Callable[..., Any]] | None = fast_networks
    snapshots: tuple[Snapshot, Snapshot] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("generator_optimizer", "discriminator_optimizer"):
            object.__setattr__(self, name, as_transformation(getattr(self, name)))
        check_network("generator", self.generator, self.generator_optimizer)
        check_network("discriminator", self.discriminator, self.discriminator_optimizer)
        stateless.output_shape(self.discriminator)  # refuses a model with several outputs
        check_gan(
            stateless.output_shape(self.generator),
            stateless.input_shape(self.discriminator),
            self.packing,
            (self.label_shape, stateless.label_shape(self.discriminator)),
            self.augment,
            self.loss,
            self.penalties,
            self.update,
            self.ema_decay,
            self.discriminator_updates,
            self.unrolling,
        )
        check_logits(self.discriminator)
        check_floats(self.generator, self.discriminator)
        models = (self.generator, self.discriminator)
        object.__setattr__(self, "snapshots", tuple(map(stateless.snapshot, models)))

    def check_models(self) -> None:
        """Raise ValueError if `trainable` or a constant of a model has changed since the GAN was made."""
        for snapshot in self.snapshots:
            snapshot.check()

    @property
    def is_random(self) -> bool:
        """Whether a network has random layers, such as Dropout."""
        return bool(seeds(self.generator) or seeds(self.discriminator))

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one latent, e.g. `(100,)`."""
        return stateless.input_shape(self.generator)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, real or generated, e.g. `(64, 64, 3)`."""
        seen = stateless.input_shape(self.discriminator)
        return seen if self.packing == 1 else (*seen[:-1], seen[-1] // self.packing)

    @property
    def label_shape(self) -> tuple[int, ...] | None:
        """Shape of one label, e.g. `(53,)`; None where the GAN is not conditional."""
        return stateless.label_shape(self.generator)
