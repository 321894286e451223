"""Checks made before anything is compiled; each error is one line."""

from __future__ import annotations

import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import keras
import optax
from jax.core import Tracer

from ganjax import stateless
from ganjax.losses import Loss, check_arguments
from ganjax.stateless.rebuilding import first_sentence
from ganjax.stateless.variables import standard_promotion


def check_network(role: str, model: keras.Model, optimizer: optax.GradientTransformation) -> None:
    """Raise TypeError or ValueError unless `model` is a built Keras model that `optimizer` can train."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"{role} must be a Keras model, got {type(model).__name__}")
    if not model.built:
        raise ValueError(f"{role} is not built: give it a keras.Input, or call it once on a batch")
    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(
            f"{role}_optimizer must be an optax transformation such as optax.adam(2e-4, b1=0.5), "
            f"got {optimizer!r}"
        )
    if not model.trainable_variables:
        why = "every layer has trainable = False" if model.weights else "no layer has weights"
        raise ValueError(f"the {role} {model.name!r} has nothing to train: {why}")
    _check_update(role, model, optimizer)


def as_transformation(optimizer: Any) -> Any:
    """`optimizer`, with `optax.MultiSteps` as the gradient transformation that it is."""
    return optimizer.gradient_transformation() if isinstance(optimizer, optax.MultiSteps) else optimizer


def _check_update(role: str, model: keras.Model, optimizer: optax.GradientTransformation) -> None:
    """Raise ValueError unless the optimiser can update the model's weights, given `value` and `grad`."""

    def update(params: list[jax.Array], value: jax.Array) -> Any:
        with standard_promotion():
            memory = optimizer.init(params)
            whole = optax.with_extra_args_support(optimizer)
            return whole.update(params, memory, params, value=value, grad=params)

    params = [jax.ShapeDtypeStruct(v.shape, jnp.dtype(v.dtype)) for v in model.trainable_variables]
    value = jax.ShapeDtypeStruct((), jnp.float32)
    try:
        jax.eval_shape(update, params[:1], value)  # quick, and enough for most
    except Exception:
        try:
            jax.eval_shape(update, params, value)
        except Exception as error:
            raise ValueError(
                f"{role}_optimizer cannot update the {role}'s weights ({first_sentence(error)}): "
                "it is given gradients, weights, value (the loss) and grad, and nothing else"
            ) from error


def check_logits(discriminator: keras.Model, name: str) -> None:
    """Warn if the discriminator's logits end in a sigmoid or softmax: losses take logits.

    Args:
        discriminator: the model.
        name: of the logits among its outputs, if it returns a dict.
    """
    last = _last_operation(discriminator, name)
    ends = (last, getattr(last, "activation", None))
    if any(end in _BOUNDED or type(end).__name__ in ("Sigmoid", "Softmax") for end in ends):
        warnings.warn(
            f"the discriminator {discriminator.name!r} ends in a sigmoid or softmax (layer {last.name!r}), "
            "but losses take logits: leave the activation out",
            stacklevel=4,
        )


_BOUNDED = (
    keras.activations.sigmoid, keras.activations.hard_sigmoid, keras.activations.softmax, jax.nn.sigmoid,
    jax.nn.hard_sigmoid, jax.nn.softmax,
)  # fmt: skip
_SHAPING = (keras.layers.Flatten, keras.layers.Reshape, keras.layers.Identity, keras.layers.Dropout)


def check_floats(*networks: keras.Model) -> None:
    """Warn if a network has float16 weights, as with Keras's setting `floatx: float16`."""
    for network in networks:
        if any(variable.dtype == "float16" for variable in network.trainable_variables):
            warnings.warn(
                f"the weights of {network.name!r} are float16, in which small gradients and Adam's epsilon "
                'are 0: keras.config.set_dtype_policy("mixed_float16") keeps weights in float32',
                stacklevel=4,
            )


def _last_operation(model: Any, name: str = "") -> Any:
    """The last layer or keras.ops function that changes values; None within a subclassed model.

    Of a model that returns a dict, that of the output called `name`; of a tuple, that of the first.
    """
    if isinstance(model, keras.Sequential):
        layers = [layer for layer in model.layers if not isinstance(layer, _SHAPING)]
        return _last_operation(layers[-1]) if layers else None
    if not isinstance(model, keras.Model):
        return model.layer if isinstance(model, keras.layers.Wrapper) else model
    outputs = getattr(model, "output", None) if getattr(model, "outputs", None) else None
    output = outputs.get(name) if isinstance(outputs, dict) else outputs
    output = output[0] if isinstance(output, (list, tuple)) else output
    while output is not None:
        operation = output._keras_history.operation
        if not isinstance(operation, _SHAPING):
            return _last_operation(operation)
        output = operation.input
    return None


def check_normal(mean: float, scale: float) -> None:
    """Raise TypeError or ValueError unless N(mean, scale^2) is a normal distribution.

    Traced values are not known yet, and pass.
    """
    if is_traced(mean) or is_traced(scale):
        return
    if not (math.isfinite(mean) and math.isfinite(scale) and scale > 0):
        raise ValueError(f"a normal distribution needs a finite mean and a scale > 0, got {mean} and {scale}")


def is_traced(value: Any) -> bool:
    """Whether `value` is a traced scalar: a hyperparameter within `jit` or `vmap`."""
    return isinstance(value, Tracer) and value.shape == ()


def check_gan(gan: Any) -> None:
    """Raise TypeError or ValueError unless a GAN's networks fit and every option is in its range."""
    _check_options(gan)
    _check_functions(gan)
    generated = _divided(gan.divide_generated, gan.generator, gan.outputs[0])
    _divided(gan.divide_scored, gan.discriminator, gan.outputs[1])
    _check_samples(gan, generated)
    G, D = gan.generator_labels, gan.discriminator_labels
    if gan.latent is None and G is None:
        raise ValueError("a generator with latent=None takes labels only, but this one takes nothing")
    distributions = getattr(gan.latent, "distributions", None)  # latents.by_name
    if distributions is not None:
        names = {name for name, _ in distributions}
        inputs = set(gan.latent_spec) if isinstance(gan.latent_spec, dict) else {"one array"}
        if names != inputs:
            raise ValueError(
                f"latents.by_name has distributions for {', '.join(sorted(names))}, but the generator takes "
                f"{', '.join(sorted(inputs))}"
            )
    if gan.packing > 1 and (G, D) != (None, None):
        raise ValueError("a GAN with labels cannot pack samples: each has a label of its own")
    of_G, of_D = (None if labels is None else stateless.shapes_of(labels) for labels in (G, D))
    if isinstance(of_G, dict) and isinstance(of_D, dict):
        shared = of_G.keys() & of_D.keys()
        of_G, of_D = ({name: shapes[name] for name in shared} for shapes in (of_G, of_D))
    if None not in (of_G, of_D) and of_G != of_D:
        raise ValueError(f"the generator takes labels of shape {of_G}, but the discriminator of shape {of_D}")


def _divided(divide: Any, model: keras.Model, name: str) -> Any:
    """Shapes of the main output of a network."""
    output = stateless.output_spec(model)
    try:
        return divide(output)[0]
    except KeyError as error:
        raise ValueError(
            f"the model {model.name!r} returns a dict without {error}: it has {', '.join(output)}; "
            'name the main outputs with GAN(outputs=("samples", "logits"))'
        ) from error


def _check_samples(gan: Any, generated: Any) -> None:
    generated = stateless.shapes_of(generated)
    seen = stateless.shapes_of(stateless.split_inputs(stateless.input_spec(gan.discriminator))[0])
    packs = ""
    if gan.packing > 1:
        if not isinstance(generated, tuple) or not generated:
            raise ValueError(f"packing joins arrays on their last axis, but samples are {generated}")
        packed = (*generated[:-1], gan.packing * generated[-1])
        packs = f", {packed} in packs of {gan.packing}"
    if (packed if packs else generated) != seen:
        raise ValueError(
            f"the generator makes samples of shape {generated}{packs}, but the discriminator takes {seen}"
        )


def _check_functions(gan: Any) -> None:
    if gan.augment is not None and not callable(gan.augment):
        raise TypeError(f"augment must be a function (key, samples) -> samples or None, got {gan.augment!r}")
    if isinstance(gan.augment, keras.Layer):
        raise TypeError(
            f"augment is the Keras layer {gan.augment!r}: give ganjax.augmentations.from_keras(layers)"
        )
    if hasattr(gan.augment, "init") and not callable(getattr(gan.augment, "update", None)):
        raise TypeError(f"augment has an init, and so needs update(state, real_logits), got {gan.augment!r}")
    named = getattr(gan.latent, "distributions", None)  # latents.by_name
    for latent in [gan.latent] if named is None else [each for _, each in named]:
        if latent is not None and not callable(latent):
            raise TypeError(f"latent must be a function (key, shape) -> array, or None, got {latent!r}")
    if gan.loss_scale is not None and not callable(getattr(gan.loss_scale, "after", None)):
        raise TypeError(f"loss_scale must be ganjax.LossScale(...) or None, got {gan.loss_scale!r}")
    if not isinstance(gan.loss, Loss):
        raise TypeError(f"loss must be a pair such as ganjax.losses.hinge, got {gan.loss!r}")
    check_arguments(gan.loss)
    for name in ("penalties", "generator_penalties"):
        if not isinstance(getattr(gan, name), tuple):
            raise TypeError(f"{name} must be a tuple such as (R1(10.0),), got {getattr(gan, name)!r}")
        if wrong := [term for term in getattr(gan, name) if not callable(term)]:
            raise TypeError(f"{name} must be functions such as R1(10.0), got {wrong[0]!r}")


def _check_options(gan: Any) -> None:
    names = gan.outputs
    if not isinstance(names, tuple) or len(names) != 2 or not all(isinstance(n, str) for n in names):
        raise TypeError(f'outputs must be two names such as ("samples", "logits"), got {names!r}')
    if not isinstance(gan.packing, int) or gan.packing < 1:
        raise ValueError(f"packing must be a whole number of at least 1, got {gan.packing}")
    if gan.update not in ("simultaneous", "alternating"):
        raise ValueError(f'update must be "simultaneous" or "alternating", got {gan.update!r}')
    if not is_traced(gan.ema_decay) and not 0 <= gan.ema_decay < 1:
        raise ValueError(f"ema_decay must be in [0, 1), got {gan.ema_decay}")
    if not isinstance(gan.discriminator_updates, int) or gan.discriminator_updates < 1:
        raise ValueError(
            f"discriminator_updates must be a whole number of at least 1, got {gan.discriminator_updates}"
        )
    if not isinstance(gan.unrolling, int) or gan.unrolling < 0:
        raise ValueError(f"unrolling must be a whole number of at least 0, got {gan.unrolling}")
    if gan.unrolling and gan.update != "alternating":
        raise ValueError('unrolling unrolls D in G\'s own update: it needs update="alternating"')


def check_latents(drawn: Any, wanted: Any) -> None:
    """Raise TypeError or ValueError unless latents have the wanted shapes, and are integers where wanted."""
    for x, spec in zip(jax.tree.leaves(drawn), jax.tree.leaves(wanted), strict=True):
        if jnp.shape(x) != spec.shape:
            raise ValueError(
                f"latent must give an array of the shape {spec.shape} that it is asked for, got "
                f"{jnp.shape(x)}"
            )
        if jnp.issubdtype(x.dtype, jnp.integer) != jnp.issubdtype(spec.dtype, jnp.integer):
            raise TypeError(
                f"latent gives {x.dtype} for an input of the generator that is {spec.dtype}: "
                "give this input a distribution of its own, with ganjax.latents.by_name"
            )


def check_state(gan: Any, state: Any) -> None:
    """Raise ValueError if a state lacks what this GAN keeps in it, or has what it does not keep."""
    for name, kept, held in (
        ("loss_scale", gan.loss_scale is not None, state.generator.loss_scale is not None),
        ("augment", hasattr(gan.augment, "init"), state.augment is not None),
    ):
        if kept != held:
            raise ValueError(
                f"the state {'has a' if held else 'lacks the'} state of {name}, which this GAN "
                f"{'does not keep' if held else 'keeps'}: it is the state of another GAN"
            )


def as_key(key: jax.Array) -> jax.Array:
    """`key` as one new-style PRNG key; legacy uint32 keys are accepted.

    Raises:
        TypeError: it is not a key (an integer, for instance).
        ValueError: it is an array of keys.
    """
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        if key.shape:
            raise ValueError(f"one key is needed, got an array of keys of shape {key.shape}: use jax.vmap")
        return key
    shape = getattr(key, "shape", ())
    if dtype == jnp.uint32 and len(shape) == 1:
        return jax.random.wrap_key_data(jnp.asarray(key))
    if dtype == jnp.uint32 and len(shape) > 1:
        raise ValueError(f"one key is needed, got uint32 numbers of shape {shape}: use jax.vmap")
    got = type(key).__name__ if dtype is None else f"an array of {dtype} of shape {shape}"
    raise TypeError(f"a PRNG key is needed, such as jax.random.key(0), got {got}")


def check_sharding(tree: Any) -> None:
    """Raise ValueError if an array of `tree` is sharded over a mesh with explicit axes.

    There JAX asks each operation for the sharding of its result, which Keras's layers do not give.
    """
    for leaf in jax.tree.leaves(tree):
        # Along automatic axes the type of an array shows no sharding.
        if any(part is not None for part in jax.typeof(leaf).sharding.spec):
            raise ValueError(
                "an array is sharded over a mesh with explicit axes, but Keras's layers need automatic ones: "
                "jax.make_mesh(..., axis_types=(jax.sharding.AxisType.Auto,)), one for each axis"
            )
