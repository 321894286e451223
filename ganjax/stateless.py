"""Keras models as pure functions of their weights.

A Keras model serves here as a description only: which weights there are, how each is initialised, and
what the model computes from them. Nothing in this file reads or changes a value the model holds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import keras

Weights = list[jax.Array]
T = TypeVar("T")


def call(
    model: keras.Model,
    params: Weights,
    statistics: Weights,
    x: jax.Array,
    labels: jax.Array | None = None,
    *,
    training: bool,
) -> tuple[jax.Array, Weights]:
    """Value of `model` at `x`, and its next statistics, as a pure function.

    Args:
        model: a built Keras model.
        params: arrays for `model.trainable_variables`, in their order.
        statistics: arrays for `model.non_trainable_variables`, in their order: BatchNormalization's
            moving averages, SpectralNormalization's singular vectors, Dropout's seeds.
        x: `(batch, *input_shape)`.
        labels: `(batch, *label_shape)`, for a model that takes them as its second input.
        training: use batch statistics and dropout, and advance the statistics.

    Returns:
        `(y, statistics)`: `y` of shape `(batch, *output_shape)` in the model's own dtype.
    """
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    values = zip(variables, [*params, *statistics], strict=True)
    with keras.StatelessScope(values, initialize_variables=False) as scope:
        with standard_promotion():
            if not training:
                _divide_by_spectral_norm(model)
            y = model(x if labels is None else [x, labels], training=training)
        after = [scope.get_current_value(v) for v in model.non_trainable_variables]
    return y, after


@contextmanager
def standard_promotion() -> Iterator[None]:
    """Let Keras and optax promote dtypes and ranks, which a caller may forbid in code of their own."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


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


def initial_weights(model: keras.Model, key: jax.Array) -> tuple[Weights, Weights]:
    """Fresh `(params, statistics)` for `model`, each drawn by its own Keras initializer from `key`.

    Traceable: `jit`, `vmap` over keys. A seed the initializer was given is overruled by the key.
    """
    twin = rebuild(model)
    seed = _in_own_thread(keras.random.SeedGenerator, 0)

    def draw(variable: Any, key: jax.Array) -> jax.Array:
        bits = jax.random.bits(key, (2,), "uint32")
        if variable.name == "seed_generator_state":
            return bits
        initializer = variable._initializer
        if hasattr(initializer, "seed"):
            initializer.seed = seed
        scope = keras.StatelessScope([(seed.state, bits)], initialize_variables=False)
        with scope, standard_promotion():
            value = initializer(variable.shape, dtype=variable.dtype)
        return jnp.asarray(value, dtype=variable.dtype)

    params = [draw(v, jax.random.fold_in(key, i)) for i, v in enumerate(twin.trainable_variables)]
    statistics = [
        draw(v, jax.random.fold_in(key, len(params) + i)) for i, v in enumerate(twin.non_trainable_variables)
    ]
    return params, statistics


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


def rebuild(model: keras.Model) -> keras.Model:
    """The same model built again from its configuration, without values, sharing nothing with `model`.

    Args:
        model: a built Keras model: Sequential, Functional, or subclassed with a `get_config` from which
            `from_config` can make it again (what saving to a `.keras` file needs too).

    Raises:
        ValueError: the model cannot be built again from its configuration.
    """

    python_random = random.getstate()  # layers built without a seed draw one from Python's generator
    try:
        twin = without_values(partial(keras.models.clone_model, model))
    except Exception as error:
        first_sentence = " ".join(str(error).split()).split(". ")[0]
        raise ValueError(
            f"the model {model.name!r} cannot be built again from its configuration ({first_sentence}): "
            "give its class get_config and from_config, as saving it would need too"
        ) from error
    finally:
        random.setstate(python_random)
    if [v.shape for v in twin.variables] != [v.shape for v in model.variables]:
        raise ValueError(
            f"the model {model.name!r} built again from its configuration has other weights: "
            "its get_config must hold every argument that shapes them"
        )
    return twin


def without_values(build: Callable[[], T]) -> T:
    """What `build()` gives; Keras models in it know only shapes, dtypes and initializers of their weights.

    That is all a GAN needs, and drawing values that nobody reads takes seconds. Keras draws anew whenever a
    value of such a model is read: give such models to nobody who would use them by themselves.
    """

    def described() -> T:
        with keras.StatelessScope(initialize_variables=False):
            return build()

    return _in_own_thread(described)


def _in_own_thread(function: Any, *arguments: Any) -> Any:
    # Keras keeps automatic layer names and lists of unfinished variables per thread. Building in a thread
    # of its own leaves the caller's as they were.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(function, *arguments).result()


def input_shape(model: keras.Model) -> tuple[int, ...]:
    """Shape of one input of a built model (the first, where it takes labels too), without the batch axis."""
    return _input_shapes(model)[0]


def label_shape(model: keras.Model) -> tuple[int, ...] | None:
    """Shape of one label, without the batch axis, of a model that takes labels as its second input."""
    return (*_input_shapes(model), None)[1]


def output_shape(model: keras.Model) -> tuple[int, ...]:
    """Shape of one output of a built model, without the batch axis; nothing is computed."""
    inputs = [keras.KerasTensor((2, *shape)) for shape in _input_shapes(model)]
    output = _in_own_thread(model.compute_output_spec, inputs if len(inputs) > 1 else inputs[0])
    if not isinstance(output, keras.KerasTensor):
        raise ValueError(f"the model {model.name!r} must have exactly one output, got {len(output)}")
    return tuple(output.shape[1:])


def _input_shapes(model: keras.Model) -> list[tuple[int, ...]]:
    try:
        shape = model.input_shape
    except AttributeError:  # a subclassed model knows the shape it was built for
        shape = (model.get_build_config() or {}).get("input_shape")
    shapes = list(shape or ())
    if shape and not isinstance(shape[0], (tuple, list)):
        shapes = [shape]
    if not 1 <= len(shapes) <= 2:
        raise ValueError(f"the model {model.name!r} must have one input, or labels too, got {shape}")
    if any(None in each[1:] for each in shapes):
        raise ValueError(f"the input shape of {model.name!r} must be fixed but for the batch: {shape}")
    return [tuple(each[1:]) for each in shapes]
