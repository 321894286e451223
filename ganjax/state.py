"""GANState: everything a run needs to go on, as one pytree of arrays."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
from typing import Any, Literal

import jax
import jax.numpy as jnp
import keras
import optax
from jax import export

from ganjax import stateless
from ganjax.checks import as_key
from ganjax.gan import GAN
from ganjax.stateless import Weights
from ganjax.stateless.variables import Snapshot


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
        loss_scale: `ganjax.optimizers.LossScaleState`, in a GAN with a `loss_scale`; otherwise None.
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
        augment: state of the GAN's `augment`, such as the probability of `augmentations.Adaptive`; None for
            a function, which has none.
    """

    step: jax.Array
    key: jax.Array
    generator: NetworkState
    discriminator: NetworkState
    ema: AveragedWeights
    augment: Any = None


def init_state(
    gan: GAN,
    key: jax.Array,
    *,
    weights: Literal["fresh", "models"] = "fresh",
    generator: keras.Model | None = None,
    discriminator: keras.Model | None = None,
) -> GANState:
    """The state before the first step, by default with fresh weights.

    Each weight is then drawn from `key` by its own Keras initializer, also where the model was loaded from a
    file. Only what training does not change starts from the models: weights of frozen layers, what `adapt`
    computed, and variables made from an array, as they were when the GAN was made.

    Training that goes on from trained values starts with `weights="models"`, or with `generator` and
    `discriminator`. All values are copied, frozen ones included; only the seeds of random layers still
    follow from `key`. Optimisers start anew, and the average starts at the generator's weights.

    Traceable: `jax.vmap(init_state, (None, 0))(gan, keys)` is a population. No array is in the state twice,
    nor in a model too, so that it can be donated to a step. `jax.export` can write steps on it, and read them
    once there has been a state of the same kind.

    Args:
        gan: the GAN.
        key: one PRNG key, new-style or legacy.
        weights: "fresh", or "models": the values in the GAN's models as they were when the GAN was made.
        generator, discriminator: a model to take this network's values from, such as one of
            `ganjax.training.load_models(folder)`. Its variables must be like those of the GAN's model: as
            many, in the same order, of the same shapes and dtypes.

    Raises:
        TypeError, ValueError: `key` is no single key, a layer's initializers cannot be found, a model was
            changed after the GAN was made, holds no values, or is not like the GAN's.
    """
    gan.check_models()
    if weights not in ("fresh", "models"):
        raise ValueError(f'weights must be "fresh" or "models", got {weights!r}')
    generator_key, discriminator_key, run_key = jax.random.split(as_key(key), 3)
    start_of_augment = getattr(gan.augment, "init", None)

    def network(role: str, start: Snapshot, source: keras.Model | None, key: jax.Array) -> NetworkState:
        model = getattr(gan, role)
        given = None
        if source is not None:
            given = _values_of(role, source, start)
        elif weights == "models":
            given = _values_of(role, model, start)
        params, statistics = stateless.initial_weights(model, key, start, given)
        with stateless.standard_promotion():
            optimizer = getattr(gan, f"{role}_optimizer").init(params)
        return NetworkState(params, statistics, optimizer, gan.loss_scale and gan.loss_scale.init())

    G_start, D_start = gan.snapshots
    G = network("generator", G_start, generator, generator_key)
    state = GANState(
        step=jnp.zeros((), jnp.int32),
        key=run_key,
        generator=G,
        discriminator=network("discriminator", D_start, discriminator, discriminator_key),
        # Copies: a donated state must not hold one buffer twice.
        ema=AveragedWeights(*jax.tree.map(jnp.copy, (G.params, G.statistics))),
        augment=start_of_augment and start_of_augment(),
    )
    _let_export_write(jax.tree.structure(state))
    return state


def _values_of(role: str, source: keras.Model, start: Snapshot) -> dict[int, Any]:
    """The values that `source` holds for the variables of `start`'s model, by their `id`; none of seeds."""
    if not isinstance(source, keras.Model) or not source.built:
        raise TypeError(f"{role} must be a built Keras model, got {source!r}")
    other = start if source is start.model else stateless.snapshot(source)
    wanted = [v for v in start.model.variables if not start.is_seed(v)]
    found = [v for v in source.variables if not other.is_seed(v)]
    for ours, theirs in itertools.zip_longest(wanted, found):
        if ours is None or theirs is None or (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            raise ValueError(
                f"the model given as {role} is not like the GAN's: "
                f"it has {_described(theirs)} where the GAN's has {_described(ours)}"
            )
        if other.value(theirs) is None:
            raise ValueError(
                f"the {role} {source.name!r} holds no values to start from, as without_values made it: "
                'use weights="fresh", or give a trained model'
            )
    return {id(ours): other.value(theirs) for ours, theirs in zip(wanted, found, strict=True)}


def _described(variable: Any) -> str:
    return "nothing" if variable is None else f"{variable.path!r} ({variable.dtype}{tuple(variable.shape)})"


# `jax.export` writes only those types of a state's nodes that it was told of.


def _let_export_write(structure: Any) -> None:
    """Make a step on states of this structure serialisable: register its NamedTuples and dataclasses."""
    kind, _ = structure.node_data() or (None, None)
    if kind not in (None, type(None), list, tuple, dict):
        _register(kind)
    for part in structure.children():
        _let_export_write(part)


def _register(kind: Any) -> None:
    name = f"{kind.__module__}.{kind.__qualname__}"
    # ValueError: registered before, or another class of this name was (a notebook's cell that was run again).
    with contextlib.suppress(ValueError):
        if hasattr(kind, "_fields"):
            export.register_namedtuple_serialization(kind, serialized_name=name)
        else:
            export.register_pytree_node_serialization(
                kind,
                serialized_name=name,
                serialize_auxdata=lambda constants: json.dumps(constants).encode(),
                deserialize_auxdata=lambda written: tuple(json.loads(written)),
            )
