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
from ganjax.labelled import ANY
from ganjax.latents import ByName, Latent, standard_normal
from ganjax.latents import Normal as Normal
from ganjax.losses import Loss, asked_for, binary_cross_entropy
from ganjax.networks.fast import fast_networks
from ganjax.optimizers import LossScale
from ganjax.penalties import GeneratorPenalty, Penalty
from ganjax.stateless.variables import Snapshot, seeds

Augment = Callable[..., Any]

dcgan_adam = optax.adam(2e-4, b1=0.5, b2=0.999)
"""Adam as in DCGAN (Radford et al. 2016, section 4) and in the original cartoon system."""


@dataclasses.dataclass(frozen=True)
class GAN:
    """Two networks, what each minimises, and how. Nothing in the models is changed.

    `init_state` draws every weight that is trained from a key, also for a model loaded from a file, unless it
    is asked to start from trained values. What training does not change is taken from the models as it is
    when the GAN is made: weights of frozen layers (`trainable = False`), what `adapt` computed. Which layers
    are frozen is a part of what a GAN is: `refreeze` carries a state to a GAN of other frozen layers.

    As in Keras, regularizers and `add_loss` add to what a network minimises, and constraints are applied
    after each of its updates. Random layers draw from the run's key: a new mask in every pass. The moving
    averages of G's BatchNormalization advance once a step, in the pass of its own update.

    Frozen and hashable. A GAN whose models have been changed since raises ValueError when it is used.

    Attributes:
        generator: built Keras model, latent `(batch, *latent_shape)` -> samples `(batch, *sample_shape)`.
        discriminator: built Keras model, samples -> logits `(batch, ...)`, one per sample or a patch of them;
            logits, so no sigmoid at the end.
            Either may take labels `(batch, *label_shape)` as its second input. Latents, labels and samples
            may be structures of arrays (dicts, tuples); how a model's inputs are divided between them is in
            `ganjax/stateless/structure.py`.
        loss: what each network minimises, a pair from `ganjax.losses`. A loss also sees samples, labels and
            other outputs of the networks, if it names them as arguments.
        penalties: terms added to the discriminator's loss, from `ganjax.penalties`.
        generator_optimizer, discriminator_optimizer: any optax transformations, schedules and
            `optax.MultiSteps` included (averages and penalties then count its updates), and
            `ganjax.keras_adam`. They are also given `value`, all that the network minimises, and `grad`, but
            no `value_fn`.
        latent: `(key, shape) -> float32 array`, the distribution the generator draws from;
            `ganjax.latents.by_name` for several inputs, None for a generator that takes labels only.
        augment: `(key, samples) -> samples`, differentiable, from `ganjax.augmentations`: real and generated
            samples alike pass through it on their way to the discriminator (Zhao et al. 2020, eq. 2 and 3).
            One that adapts, such as `augmentations.Adaptive`, keeps its state in `GANState.augment`.
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
        outputs: names of the main outputs, samples and logits, of networks that return dicts; of a tuple it
            is the first. If D takes a dict, the samples are what G returns under the same names.
        generator_penalties: terms added to the generator's loss that need derivatives of G, called as
            `penalty(generator, latents, key=key, step=step)`, where `generator` maps latents to samples.
        ema_warmup: False keeps the decay at `ema_decay` from the first step on.
        loss_scale: `ganjax.LossScale()` for networks of Keras's policy `mixed_float16`: updates whose
            gradients overflow are skipped and counted.
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
    latent: Latent | ByName | None = standard_normal
    augment: Augment | None = None
    packing: int = 1
    ema_decay: float = 0.999
    update: Literal["simultaneous", "alternating"] = "simultaneous"
    discriminator_updates: int = 1
    unrolling: int = 0
    outputs: tuple[str, str] = ("samples", "logits")
    generator_penalties: tuple[GeneratorPenalty, ...] = ()
    ema_warmup: bool = True
    loss_scale: LossScale | None = None
    transform: Callable[[Callable[..., Any]], Callable[..., Any]] | None = fast_networks
    snapshots: tuple[Snapshot, Snapshot] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("generator_optimizer", "discriminator_optimizer"):
            object.__setattr__(self, name, as_transformation(getattr(self, name)))
        check_network("generator", self.generator, self.generator_optimizer)
        check_network("discriminator", self.discriminator, self.discriminator_optimizer)
        check_gan(self)
        check_logits(self.discriminator, self.outputs[1])
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
    def losses_ask_for(self) -> frozenset[str]:
        """What the two losses want to see besides logits: names from `ganjax.losses.OFFERED`."""
        return asked_for(self.loss.discriminator) | asked_for(self.loss.generator)

    # What the networks take and make. A spec is a structure of `jax.ShapeDtypeStruct` without the batch axis.

    @property
    def latent_spec(self) -> Any:
        """Spec of one latent; None where the generator takes labels only."""
        return self._inputs(self.generator)[0]

    @property
    def latent_shape(self) -> Any:
        """Shape of one latent, e.g. `(100,)`."""
        return stateless.shapes_of(self.latent_spec)

    @property
    def sample_spec(self) -> Any:
        """Spec of one sample, real or generated."""
        seen = self._inputs(self.discriminator)[0]
        if self.packing == 1:
            return seen
        *axes, channels = seen.shape
        return jax.ShapeDtypeStruct((*axes, channels // self.packing), seen.dtype)

    @property
    def sample_shape(self) -> Any:
        """Shape of one sample, real or generated, e.g. `(64, 64, 3)`."""
        return stateless.shapes_of(self.sample_spec)

    @property
    def generator_labels(self) -> Any:
        """Spec of one label as the generator takes it; None where it takes none."""
        return self._inputs(self.generator)[1]

    @property
    def discriminator_labels(self) -> Any:
        """Spec of one label as the discriminator takes it; None where it takes none."""
        return self._inputs(self.discriminator)[1]

    @property
    def label_spec(self) -> Any:
        """Spec of one label, for both networks; None in a GAN without.

        It is `ganjax.labelled.ANY` where only the losses see labels.
        """
        G, D = self.generator_labels, self.discriminator_labels
        if isinstance(G, dict) and isinstance(D, dict):
            return G | D
        if G is None and D is None:
            return ANY if "labels" in self.losses_ask_for else None
        return D if G is None else G

    @property
    def label_shape(self) -> Any:
        """Shape of one label, e.g. `(53,)`; None in a GAN without."""
        return None if self.label_spec in (None, ANY) else stateless.shapes_of(self.label_spec)

    def _inputs(self, model: keras.Model) -> tuple[Any, Any]:
        only_labels = model is self.generator and self.latent is None
        return stateless.split_inputs(stateless.input_spec(model), only_labels=only_labels)

    def divide_generated(self, output: Any) -> tuple[Any, Any]:
        """Samples, and whatever else the generator returns."""
        names = self._inputs(self.discriminator)[0]
        names = list(names) if isinstance(names, dict) else None
        return stateless.split_output(output, self.outputs[0], names)

    def divide_scored(self, output: Any) -> tuple[Any, Any]:
        """Logits, and whatever else the discriminator returns."""
        return stateless.split_output(output, self.outputs[1])
