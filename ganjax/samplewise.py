"""Whether a network treats the samples of a batch one by one, as told by its Keras layers.

Then its value for a sample does not depend on which others stand beside it in the batch, and one call on two
batches joined computes what two calls do.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import activations, layers

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
    """Whether every layer of `model` is known to treat samples one by one, without randomness or memory.

    Conservative: normalisation over the batch, dropout, spectral normalisation, a subclassed layer or model,
    and whatever else this file does not name, all give False. A layer whose class has `samplewise = True` is
    taken at its word.
    """
    if not all(_is_samplewise(operation) for operation in _operations(model)):
        return False
    shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
    return all(shape[0] is None for shape in shapes)


def is_dense(model: keras.Model) -> bool:
    """Whether no layer of `model` slides over an image."""
    return not any(type(operation) in _SPATIAL for operation in _operations(model))


def _operations(model: keras.Model) -> list[Any]:
    """Layers and keras.ops functions of a model and of those in it; a subclassed one stands for itself."""
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
