"""Calls of a Keras model as a pure function of its weights, and the weights that it starts with.

A model says which weights there are, how each is initialised, and what it computes from them. The values that
it holds are not changed, and only those of constants (`ganjax.stateless.variables`) are read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras

from ganjax.stateless.rebuilding import first_sentence, in_own_thread, initializers
from ganjax.stateless.structure import batch_sizes, filled, input_spec, join_inputs
from ganjax.stateless.variables import Snapshot, frozen, seeds, standard_promotion

Weights = list[jax.Array]


class After(NamedTuple):
    """What a call of a model leaves besides its value.

    Attributes:
        statistics: the next statistics.
        losses: in training, what layers add to the loss by activity regularizers and `add_loss`: scalars.
        outputs: what a network of a GAN returned besides its main output: a dict, or a tuple (often empty).
    """

    statistics: Weights
    losses: Weights
    outputs: Any = ()


def call(
    model: keras.Model,
    params: Weights,
    statistics: Weights,
    x: Any,
    labels: Any = None,
    *,
    training: bool,
) -> tuple[Any, Weights]:
    """Value of `model` at `x`, and its next statistics, as a pure function.

    Args:
        model: a built Keras model.
        params: arrays for `model.trainable_variables`, in their order.
        statistics: arrays for `model.non_trainable_variables`, in their order: BatchNormalization's
            moving averages, SpectralNormalization's singular vectors, Dropout's seeds, constants.
        x: the main input `(batch, *input_shape)`, or a structure of several (structure.py).
        labels: `(batch, *label_shape)`, for a model that takes them; one that takes nothing else has x None.
        training: use batch statistics and dropout, and advance the statistics.

    Returns:
        `(y, statistics)`: `y` of shape `(batch, *output_shape)` in the model's own dtype; a structure if the
        model has several outputs.
    """
    y, after = call_with_losses(model, params, statistics, x, labels, training=training)
    return y, after.statistics


def call_with_losses(
    model: keras.Model,
    params: Weights,
    statistics: Weights,
    x: Any,
    labels: Any = None,
    key: jax.Array | None = None,
    *,
    training: bool,
) -> tuple[Any, After]:
    """As `call`, with the losses that layers add.

    With a `key`, the seeds of random layers follow from it, whatever `statistics` holds for them; those in
    `statistics` stay as they are. Without one they are those in `statistics`, which advance as Keras does.
    """
    inputs = join_inputs(input_spec(model), x, labels, only_labels=x is None)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    values = dict(zip(map(id, variables), [*params, *statistics], strict=True))
    kept = frozen(model)  # spectral normalisation would write to a frozen kernel too
    if key is not None:
        states = seeds(model)
        kept |= set(map(id, states))
        drawn = {id(v): _seed(jax.random.fold_in(key, i)) for i, v in enumerate(states)}
    else:
        drawn = {}
    pairs = [(v, drawn.get(id(v), values[id(v)])) for v in variables]
    with keras.StatelessScope(pairs, collect_losses=training, initialize_variables=False) as scope:
        with standard_promotion(), _finalized(model):
            if not training:
                _divide_by_spectral_norm(model)
            mode = None if not training and _has_layers_always_in_training(model) else training
            y = model(inputs, training=mode)
        after = [
            values[id(v)] if id(v) in kept else scope.get_current_value(v)
            for v in model.non_trainable_variables
        ]
    return y, After(after, [jnp.sum(loss).astype(jnp.float32) for loss in scope.losses])


def call_layers(layers: Sequence[keras.Layer], key: jax.Array, x: jax.Array) -> jax.Array:
    """Keras layers without weights, one after another on `x` in training; their seeds follow from `key`."""
    states = [state for layer in layers for state in seeds(layer)]
    drawn = [(state, _seed(jax.random.fold_in(key, i))) for i, state in enumerate(states)]
    with keras.StatelessScope(drawn, initialize_variables=False), standard_promotion():
        for layer in layers:
            x = layer(x, training=True)
    return x


class _Watching(keras.StatelessScope):
    """A scope that notes which variables were to be changed."""

    def __init__(self) -> None:
        super().__init__(initialize_variables=False)
        self.changed: list[Any] = []

    def add_update(self, update: tuple[Any, Any]) -> None:
        self.changed.append(update[0])
        super().add_update(update)


def call_without_state(function: Any, *args: Any, name: str, **kwargs: Any) -> Any:
    """`function(*args, **kwargs)`, which must not change the state of a Keras object.

    A compiled step would use that state as it was when the step was traced, the same in every call.

    Raises:
        TypeError: it changed a Keras variable; the message says that `name` did.
    """
    unseeded = False
    with _Watching() as scope:
        try:
            value = function(*args, **kwargs)
        except ValueError as error:  # Keras refuses its global seed while JAX traces
            if not str(error).startswith("[JAX RNG]"):
                raise
            unseeded, value = True, None
    if not scope.changed and not unseeded:
        return value
    if unseeded or "seed_generator_state" in scope.changed[0].path:
        way = "use ganjax.augmentations.from_keras(layers)" if name == "augment" else "draw from its key"
        raise TypeError(
            f"{name} draws from a seed that Keras keeps, which a compiled step would freeze: {way}"
        )
    raise TypeError(
        f"{name} changes the Keras variable {scope.changed[0].path!r}, which a compiled step cannot: "
        "it must be a function of its arguments alone"
    )


def _seed(key: jax.Array) -> jax.Array:
    return jax.random.bits(key, (2,), "uint32")


def _has_layers_always_in_training(model: keras.Model) -> bool:
    """Whether a layer was called as `Dropout(0.5)(x, training=True)`: `training=False` would overrule it."""

    def is_always(layer: keras.Layer) -> bool:
        asked = any(node.arguments.kwargs.get("training") for node in layer._inbound_nodes)
        return asked and layer._call_signature.parameters["training"].default is not True

    return any(map(is_always, model._flatten_layers()))


_finalizing = threading.RLock()


@contextmanager
def _finalized(model: keras.Model) -> Iterator[None]:
    """Let layers compute from the scope's values what they derive from their variables (Normalization)."""
    layers = [x for x in model._flatten_layers() if hasattr(x, "finalize_state") and x.weights]
    if not layers:
        yield
        return
    with _finalizing:
        before = [dict(vars(layer)) for layer in layers]
        try:
            for layer in layers:
                layer.finalize_state()
            yield
        finally:
            for layer, attributes in zip(layers, before, strict=True):
                vars(layer).update(attributes)


def _divide_by_spectral_norm(model: keras.Model) -> None:
    """Give every spectrally normalised kernel W the value W / sigma(W).

    In training the layer does this on the fly. At inference Keras relies on having overwritten the kernel
    during the last training call, which a pure function never does.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.SpectralNormalization):
            kernel = layer.kernel.value
            _, normalized = layer.normalized_weights()
            layer.kernel.assign(jnp.where(jnp.any(kernel != 0), normalized, kernel))


def regularization(model: keras.Model, params: Weights) -> Weights:
    """What the regularizers of the trained weights add to the loss: one scalar each, as Keras adds them."""
    with standard_promotion():
        return [
            jnp.asarray(v.regularizer(value), jnp.float32)
            for v, value in zip(model.trainable_variables, params, strict=True)
            if v.regularizer is not None
        ]


def constrained(model: keras.Model, params: Weights) -> Weights:
    """`params` as the constraints of the model's weights leave them after an update."""
    with standard_promotion():
        return [
            value if v.constraint is None else v.constraint(value)
            for v, value in zip(model.trainable_variables, params, strict=True)
        ]


def snapshot(model: keras.Model) -> Snapshot:
    """The model's variables as they are now."""
    batch = max(batch_sizes(model), default=2)
    return Snapshot(model, filled(input_spec(model), batch))


def initial_weights(
    model: keras.Model,
    key: jax.Array,
    start: Snapshot | None = None,
    given: Mapping[int, Any] | None = None,
) -> tuple[Weights, Weights]:
    """Fresh `(params, statistics)` for `model`, each drawn by its own Keras initializer from `key`.

    Constants (variables.py), and variables made from an array, start from the values in `start`.
    Traceable: `jit`, `vmap` over keys. A seed the initializer was given is overruled by the key.

    Args:
        model: a built Keras model.
        key: one PRNG key.
        start: by default the model as it is now.
        given: values to start from instead, by the variable's `id`; of seeds they are not used.

    Raises:
        ValueError: an initializer cannot be found, or draws random numbers that do not follow from the key.
    """
    start, given = start or snapshot(model), given or {}
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    drawn = {id(v) for v in variables if not start.is_seed(v)} - start.constants.keys() - given.keys()
    found = initializers(model, drawn)
    generator = in_own_thread(keras.random.SeedGenerator, 0)

    def initial(variable: Any, key: jax.Array) -> jax.Array:
        if start.is_seed(variable):
            return _seed(key)
        if id(variable) in found:
            return _draw(variable, found[id(variable)], key, generator)
        value = given.get(id(variable), start.value(variable))
        if value is None:
            raise ValueError(
                f"the weight {variable.path!r} of {model.name!r} has neither value nor initializer"
            )
        return jnp.array(value, copy=True)  # a donated state must not take the model's own array with it

    values = [initial(v, jax.random.fold_in(key, i)) for i, v in enumerate(variables)]
    count = len(model.trainable_variables)
    return values[:count], values[count:]


def _draw(variable: Any, initializer: Any, key: jax.Array, generator: Any) -> jax.Array:
    def draw() -> jax.Array:
        bits = _seed(key)
        scope = keras.StatelessScope([(generator.state, bits)], initialize_variables=False)
        with scope, standard_promotion():
            value = initializer(variable.shape, dtype=variable.dtype)
        return jnp.asarray(value, dtype=variable.dtype)

    if hasattr(initializer, "seed"):
        initializer.seed = generator
        return draw()
    try:
        jax.eval_shape(draw)  # Keras refuses to use its global seed here, and only here
    except ValueError as error:
        raise ValueError(
            f"the initializer of {variable.path!r} cannot be used ({first_sentence(error)}): "
            "use one of keras.initializers, which ganjax gives the key"
        ) from error
    return draw()


def assign(model: keras.Model, params: Weights, statistics: Weights) -> None:
    """Write the values into `model`, which then computes at inference what `call` computes."""
    for variables, values in (
        (model.trainable_variables, params),
        (model.non_trainable_variables, statistics),
    ):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    with standard_promotion():
        _divide_by_spectral_norm(model)
        for layer in model._flatten_layers():
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()
