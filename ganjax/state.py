"""GANState: everything a run needs to go on, as one pytree of arrays."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import keras
import optax

from ganjax import stateless
from ganjax.checks import as_key
from ganjax.gan import GAN
from ganjax.stateless import Weights


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class NetworkState:
    """One network in training.

    Attributes:
        params: arrays in the order of the Keras model's `trainable_variables`.
        statistics: arrays in the order of its `non_trainable_variables`: statistics that layers update,
            constants such as the weights of frozen layers, and seeds of random layers. A step takes its
            seeds from the run's key; those here are what `decode` and `discriminate` use without a key.
        optimizer: state of its optax optimiser.
    """

    params: Weights
    statistics: Weights
    optimizer: optax.OptState
    loss_scale: Any = None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class AveragedWeights:
    """Exponential moving average of a network's weights: `params` and `statistics` as in `NetworkState`."""

    params: Weights
    statistics: Weights


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class GANState:
    """A GAN in training. Nothing a run needs to continue lives elsewhere.

    Attributes:
        step: int32 scalar, generator updates done so far.
        key: PRNG key, never changed: the randomness of step t is `fold_in(key, t)`.
        generator, discriminator: the two networks.
        ema: the generator's averaged weights.
    """

    step: jax.Array
    key: jax.Array
    generator: NetworkState
    discriminator: NetworkState
    ema: AveragedWeights
    augment: Any = None


def init_state(gan: GAN, key: jax.Array) -> GANState:
    """The state before the first step, with fresh weights: the values in the GAN's models are not used.

    Each weight is drawn from `key` by its own Keras initializer, also where the model was loaded from a file.
    Only what training does not change starts from the models: weights of frozen layers, what `adapt`
    computed, and variables made from an array, as they were when the GAN was made.

    Traceable: `jax.vmap(init_state, (None, 0))(gan, keys)` is a population.

    Args:
        gan: the GAN.
        key: one PRNG key, new-style or legacy.

    Raises:
        TypeError, ValueError: `key` is no single key, a layer's initializers cannot be found, or a model was
            changed after the GAN was made.
    """
    gan.check_models()
    generator_key, discriminator_key, run_key = jax.random.split(as_key(key), 3)

    def network(model: keras.Model, start: Any, optimizer: Any, key: jax.Array) -> NetworkState:
        params, statistics = stateless.initial_weights(model, key, start)
        with stateless.standard_promotion():
            return NetworkState(params, statistics, optimizer.init(params))

    G_start, D_start = gan.snapshots
    generator = network(gan.generator, G_start, gan.generator_optimizer, generator_key)
    return GANState(
        step=jnp.zeros((), jnp.int32),
        key=run_key,
        generator=generator,
        discriminator=network(gan.discriminator, D_start, gan.discriminator_optimizer, discriminator_key),
        # Copies: a donated state must not hold one buffer twice.
        ema=AveragedWeights(*jax.tree.map(jnp.copy, (generator.params, generator.statistics))),
    )
