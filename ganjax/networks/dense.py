"""Networks of dense layers: the linear ones of the original notebook, and multilayer perceptrons."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
from keras import layers


def linear_generator() -> keras.Model:
    """The original notebook's toy generator, (batch, 1) to (batch, 1): one ``Dense(1)``.

    It can only shift and scale its latents.
    """
    return _single_dense("linear_generator", "line")


def linear_discriminator() -> keras.Model:
    """The original notebook's toy discriminator, (batch, 1) to a logit (batch, 1): one ``Dense(1)``.

    With a logit that is linear in the sample, it can only tell distributions apart by their means.
    """
    return _single_dense("linear_discriminator", "logit")


def _single_dense(name: str, layer_name: str) -> keras.Model:
    return keras.Sequential([layers.Input((1,), name="input"), layers.Dense(1, name=layer_name)], name=name)


def mlp(
    input_dim: int,
    widths: Sequence[int],
    output_dim: int,
    activation: str = "relu",
    *,
    kernel_initializer: str = "glorot_uniform",
    name: str = "mlp",
    fourier_features: int = 0,
    fourier_scale: float | Sequence[float] = 1.0,
    input_scale: float = 1.0,
    output_scale: float = 1.0,
    skip: bool = False,
) -> keras.Model:
    """A multilayer perceptron, (batch, input_dim) to (batch, output_dim), with a linear output layer.

    Args:
        input_dim: size of the last axis of the input.
        widths: units of each hidden layer; empty gives one linear map.
        output_dim: units of the output layer.
        activation: a Keras activation name, used after every hidden layer.
        kernel_initializer: a Keras initializer's name, for the hidden layers; "he_normal" suits the
            rectifiers (He et al. 2015, equation 10).
        name: the model's name.
        fourier_features: if positive, the input x is replaced by [x, sin(x B), cos(x B)] with
            2 * ``fourier_features`` random Fourier features (Tancik et al. 2020, "Fourier features let
            networks learn high frequency functions in low dimensional domains", equation 5, with
            2 pi included in B). B is drawn with the initial weights and not trained: it belongs to the
            model's non-trainable variables.
        fourier_scale: standard deviation of B's entries, in radians per ``input_scale``. With larger
            values a discriminator sees finer details. If there are several, each is used for an equal
            number of features.
        input_scale, output_scale: the input is divided by ``input_scale``, and the output multiplied by
            ``output_scale``, since networks work best with numbers of about unit size.
        skip: the output layer also gets the input of the first hidden layer, concatenated as in DenseNet
            (Huang et al. 2017, equation 2, https://arxiv.org/abs/1608.06993), so that the model is the sum
            of a linear map and the output of the hidden layers. No effect without hidden layers.

    Raises:
        ValueError: for sizes below one, scales that are not positive, or features that cannot be divided
            evenly among the scales.
    """
    if min(input_dim, output_dim, *widths, 1) < 1:
        raise ValueError(
            f"mlp needs sizes of at least 1, not {input_dim=}, widths={tuple(widths)}, {output_dim=}"
        )
    scales = [fourier_scale] if isinstance(fourier_scale, (int, float)) else list(fourier_scale)
    if fourier_features < 0 or not scales or not all(map(_is_scale, scales)):
        raise ValueError(
            "mlp needs fourier_features >= 0 and a positive fourier_scale, "
            f"not {fourier_features} and {fourier_scale}"
        )
    if fourier_features % len(scales):
        raise ValueError(f"mlp cannot divide {fourier_features=} evenly among {len(scales)} scales")
    if not (_is_scale(input_scale) and _is_scale(output_scale)):
        raise ValueError(f"mlp needs positive scales, not {input_scale=} and {output_scale=}")
    inputs = layers.Input((input_dim,), name="input")
    # Not `Rescaling`, which needs TensorFlow.
    x = inputs if input_scale == 1 else keras.ops.multiply(inputs, 1 / input_scale)
    if fourier_features:
        x = _fourier_features(x, fourier_features // len(scales), scales)
    features = x
    for index, width in enumerate(widths, start=1):
        x = layers.Dense(width, activation, kernel_initializer=kernel_initializer, name=f"hidden_{index}")(x)
    if skip and widths:
        x = layers.Concatenate(name="skip")([features, x])
    x = layers.Dense(output_dim, name="output")(x)
    if output_scale != 1:
        x = keras.ops.multiply(x, output_scale)
    return keras.Model(inputs, x, name=name)


def _is_scale(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _fourier_features(x: keras.KerasTensor, count: int, scales: Sequence[float]) -> keras.KerasTensor:
    # Frozen Dense layers and plain operations, so that a saved model needs no custom class. The input
    # itself is kept too, since periodic functions alone hardly distinguish near from distant points.
    frequencies = [
        layers.Dense(
            count,
            use_bias=False,
            trainable=False,
            kernel_initializer=keras.initializers.RandomNormal(0.0, scale),
            name="frequencies" if len(scales) == 1 else f"frequencies_{index}",
        )
        for index, scale in enumerate(scales, start=1)
    ]
    for layer in frequencies:
        layer.drawn_from_key = True  # frozen, but not pretrained: `ganjax.stateless.variables`
    phases = [layer(x) for layer in frequencies]
    sines = [sine for phase in phases for sine in (keras.ops.sin(phase), keras.ops.cos(phase))]
    return layers.Concatenate(name="fourier_features")([x, *sines])
