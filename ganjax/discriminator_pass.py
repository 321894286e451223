"""The discriminator in a step: its scores of a real and a fake batch, and the gradients that come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
from keras import activations, layers

from ganjax import stateless
from ganjax.gan import GAN
from ganjax.labelled import Labelled, count
from ganjax.sampling import forward
from ganjax.state import NetworkState
from ganjax.stateless import Weights
from ganjax.stateless.structure import batch_sizes

Added = Weights
"""Scalars that a network's regularizers and `add_loss` add to its loss; usually none."""


class Scores(NamedTuple):
    """What D returns of a batch: logits, and its other outputs, if a loss asks for them."""

    logits: jax.Array
    outputs: Any = ()


Both = tuple[Scores, Scores]
"""Of a real and of a fake batch."""
DiscriminatorPass = Callable[..., tuple[tuple[Both, Added], Weights]]
"""`(params, fake, key=None) -> (((real scores, fake scores), added), next statistics)`; the key is for random
layers."""

_LEAST = 2.0**-64


def two_calls(gan: GAN, D: NetworkState, real: Labelled) -> DiscriminatorPass:
    """D(real), then D(fake)."""
    D_forward = forward(gan, gan.discriminator, training=True)

    def scores_of_both(params: Weights, fake: Any, key: jax.Array | None = None) -> Any:
        real_key, fake_key = (None, None) if key is None else jax.random.split(key)
        real_logits, first = D_forward(params, D.statistics, real.samples, real.labels, real_key)
        fake_logits, last = D_forward(params, first.statistics, fake, real.labels, fake_key)
        added = [*first.losses, *last.losses, *stateless.regularization(gan.discriminator, params)]
        both = _scores(gan, real_logits, first.outputs), _scores(gan, fake_logits, last.outputs)
        return (both, added), last.statistics

    return scores_of_both


def one_call(gan: GAN, D: NetworkState, real: Labelled) -> DiscriminatorPass:
    """The same from one call on both batches joined: for a discriminator that is samplewise."""
    D_forward = forward(gan, gan.discriminator, training=True)

    def scores_of_both(params: Weights, fake: Any, key: jax.Array | None = None) -> Any:
        n = count(real.samples)
        joined = jax.tree.map(lambda *x: jnp.concatenate(x), real, real._replace(samples=fake))
        logits, after = D_forward(params, D.statistics, *joined, key)
        added = [*after.losses, *stateless.regularization(gan.discriminator, params)]
        scores = _scores(gan, logits, after.outputs)
        both = jax.tree.map(lambda x: x[:n], scores), jax.tree.map(lambda x: x[n:], scores)
        return (both, added), after.statistics

    return scores_of_both


def _scores(gan: GAN, logits: jax.Array, outputs: Any) -> Scores:
    asked = gan.losses_ask_for & {"real_outputs", "fake_outputs"}
    return Scores(logits, outputs if asked else ())


def discriminator_pass(gan: GAN, D: NetworkState, real: Labelled) -> DiscriminatorPass:
    """The faster of the two that are right for this discriminator.

    One call halves the operations of a small network, where their number is the cost (a step of the 3x16 ring
    pair: 31 microseconds for 38, 2 cores with AVX-512). Over images the joined batch is a copy more, and its
    pullback would compute gradients of the real images too, which are not used.
    """
    one = is_samplewise(gan.discriminator) and is_dense(gan.discriminator)
    return (one_call if one else two_calls)(gan, D, real)


def two_pullbacks(pull: Any, D_cotangents: tuple[Both, Added], G_cotangent: Scores) -> tuple[Weights, Any]:
    """D's gradient of its own loss, and the gradient of G's loss with respect to the generated batch.

    Args:
        pull: the pullback of a `DiscriminatorPass`.
        D_cotangents: derivatives of D's loss by the real and the fake scores, and by what D's layers add.
        G_cotangent: derivative of G's loss by the fake scores.
    """
    D_gradient, _ = pull(D_cotangents)
    (real_cotangent, _), added = jax.tree.map(jnp.zeros_like, D_cotangents)
    _, fake_cotangent = pull(((real_cotangent, G_cotangent), added))
    return D_gradient, fake_cotangent


def one_pullback(pull: Any, D_cotangents: tuple[Both, Added], G_cotangent: Scores) -> tuple[Weights, Any]:
    """The same from one pullback: for a samplewise discriminator with one logit f_i for each sample x_i.

    The cotangent of x_i is c_i df_i/dx_i, linear in the cotangent c_i of its own logit. So G's is D's times
    g_i / c_i. Where D's cotangent is far smaller than G's (a sample that D is sure of), it is first raised to
    2^-64 |g_i|, which changes D's gradient by less than 2^-40 of the rounding of that sample's share in it.
    """
    (real_cotangent, fake_cotangent), added = D_cotangents
    c, g = fake_cotangent.logits, G_cotangent.logits
    least = _LEAST * jnp.abs(g)
    c = jnp.where(jnp.abs(c) < least, least, c)
    D_gradient, of_fake = pull(((real_cotangent, Scores(c)), added))
    ratio = jnp.where(g == 0, 0.0, g / jnp.where(c == 0, 1.0, c))
    return D_gradient, jax.tree.map(lambda x: x * ratio.reshape(-1, *[1] * (x.ndim - 1)), of_fake)


def gradients_of_both(
    gan: GAN, pull: Any, D_cotangents: tuple[Both, Added], G_cotangent: Scores
) -> tuple[Weights, Any]:
    """The faster of the two that are right for this discriminator."""
    D, logits = gan.discriminator, G_cotangent.logits
    one_logit = logits.size == logits.shape[0] and not jax.tree.leaves(G_cotangent.outputs)
    wide = all(layer.compute_dtype != "float16" for layer in D._flatten_layers())  # 2^-64 is 0 in float16
    one = one_logit and wide and is_samplewise(D)
    return (one_pullback if one else two_pullbacks)(pull, D_cotangents, G_cotangent)


_ACTIVATIONS = {
    getattr(activations, name)
    for name in (
        "elu", "exponential", "gelu", "hard_sigmoid", "hard_tanh", "leaky_relu", "linear", "mish", "relu",
        "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh",
    )
}  # fmt: skip
_DENSE = {
    layers.InputLayer, layers.Identity, layers.Dense, layers.Activation, layers.ReLU, layers.LeakyReLU,
    layers.ELU, layers.PReLU, layers.Flatten, layers.Reshape, layers.Permute, layers.Rescaling,
    layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum, layers.Dot,
}  # fmt: skip
_SPATIAL = {
    layers.Conv1D, layers.Conv2D, layers.Conv3D,
    layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose,
    layers.DepthwiseConv1D, layers.DepthwiseConv2D, layers.SeparableConv1D, layers.SeparableConv2D,
    layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D,
    layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D,
    layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D,
    layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D,
    layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D,
    layers.Cropping1D, layers.Cropping2D, layers.Cropping3D,
}  # fmt: skip
_ALONG_AN_AXIS = {layers.Concatenate, layers.LayerNormalization, layers.GroupNormalization}
_FUNCTIONAL = type(keras.Model(_input := keras.Input((1,)), _input))
_FUNCTIONS = {"Absolute", "Cos", "Exp", "Negative", "Sin", "Square", "Tanh"}  # of keras.ops, on one tensor


def is_samplewise(model: keras.Model) -> bool:
    """Whether every layer of `model` is known to treat samples one by one, without randomness or state.

    Conservative: normalisation over the batch, dropout, spectral normalisation, a subclassed layer or model,
    and whatever else this file does not name, give False. A layer whose class says `samplewise = True` is
    trusted.
    """
    if not all(_is_samplewise(operation) for operation in _operations(model)):
        return False
    return not batch_sizes(model)


def is_dense(model: keras.Model) -> bool:
    """Whether no layer of `model` slides over an image."""
    return not any(type(operation) in _SPATIAL for operation in _operations(model))


def _operations(model: keras.Model) -> list[Any]:
    """Layers and keras.ops functions of a model and its nested models; a subclassed one is one layer."""
    if type(model) is keras.Sequential:
        parts = model.layers
    elif type(model) is _FUNCTIONAL:
        parts = model.operations
    else:
        return [model]
    nested = [_operations(part) if isinstance(part, keras.Model) else [part] for part in parts]
    return [operation for operations in nested for operation in operations]


def _is_samplewise(operation: Any) -> bool:
    kind = type(operation)
    if vars(kind).get("samplewise") is True:
        return True
    if not isinstance(operation, keras.Layer):
        known = kind.__name__ in _FUNCTIONS or (kind.__name__ == "Multiply" and _is_by_a_number(operation))
        return kind.__module__.startswith("keras.") and known
    if operation.activity_regularizer is not None:
        return False  # its loss would flow back to the samples along with that of the logits
    activation = getattr(operation, "activation", None)
    if isinstance(activation, keras.Layer):
        return kind in _DENSE | _SPATIAL and _is_samplewise(activation)
    if activation is not None and activation not in _ACTIVATIONS:
        return False
    if kind in _ALONG_AN_AXIS:
        axes = operation.axis if isinstance(operation.axis, (list, tuple)) else [operation.axis]
        return all(axis == -1 or axis > 0 for axis in axes)
    return kind in _DENSE | _SPATIAL


def _is_by_a_number(operation: Any) -> bool:
    """Whether a product of `keras.ops` is of one tensor and a Python number, wherever it is used."""
    factors = [node.arguments.args for node in operation._inbound_nodes]
    return all(isinstance(each[1], (int, float)) for each in factors)
