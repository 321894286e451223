"""Floating-point operations of a training step, from the shapes of the two networks' layers.

A multiplication and an addition count one each. What is counted is the work of the layers that have a kernel:
dense ones, convolutions and transposed convolutions, done directly. Such a layer takes part in three products
of the same size: its value (forward), the gradient of its input and the gradient of its kernel. A
convolution's taps that fall on padding are not counted, as XLA does not count them.

Left out: elementwise operations, normalisation, activations, the optimiser and averages, which cost a few
operations a value where a layer of 64 channels costs a thousand; and spectral normalisation's products of a
vector with the kernel, which do not grow with the batch. A faster algorithm (Winograd's) does fewer
operations than are counted here: the count is a measure of the work, not of the way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import layers

from ganjax.system.errors import UserError


class Work(NamedTuple):
    """One layer of a network.

    Attributes:
        name: the layer's.
        forward: operations of its value, for one sample.
        learns: it has weights to be trained, so its kernel needs a gradient.
        follows: a layer before it has, so its input needs a gradient.
    """

    name: str
    forward: int
    learns: bool
    follows: bool


def step_flops(generator: keras.Model, discriminator: keras.Model, batch: int, *, seeds: int = 1) -> int:
    """Operations of one simultaneous step: both networks updated from one shared forward pass.

    G's layers do their forward product, and the gradients of kernel and input, once. D's do each twice, on
    real and on generated samples, and once more the gradient of their input, when G's loss is pulled back
    through D(fake). The gradient of an input before which nothing is trained is never needed, but for the
    generated samples themselves.

    Args:
        generator, discriminator: Sequential or Functional models.
        batch: real samples in a step, and as many generated ones.
        seeds: how many such pairs take the step.

    Raises:
        UserError: a model is neither, or a layer with a kernel is of a kind that has no count here.
    """
    total = 0
    for layer in network(generator):
        total += layer.forward * (1 + layer.learns + layer.follows)
    for layer in network(discriminator):
        total += layer.forward * (2 * (1 + layer.learns + layer.follows) + 1)
    return total * batch * seeds


def network(model: keras.Model) -> list[Work]:
    """The layers of `model` that have a kernel, in order; see `step_flops` for what it raises."""
    operations = model.layers if isinstance(model, keras.Sequential) else getattr(model, "operations", None)
    if operations is None:
        raise UserError(
            f"the operations of {model.name!r} cannot be counted: it is not Sequential or Functional"
        )
    found, trained = [], set()  # trained: tensors that depend on something that is trained
    for operation in operations:
        if isinstance(operation, layers.InputLayer):
            continue
        follows = any(id(tensor) in trained for tensor in keras.tree.flatten(operation.input))
        learns = bool(getattr(operation, "trainable_weights", []))
        if follows or learns:
            trained |= {id(tensor) for tensor in keras.tree.flatten(operation.output)}
        if forward := _forward(operation):
            found.append(Work(operation.name, forward, learns, follows))
    return found


def _forward(operation: Any) -> int:
    inner = operation.layer if isinstance(operation, layers.SpectralNormalization) else operation
    matrices = [v for v in getattr(inner, "weights", []) if len(v.shape) > 1]
    if not matrices:
        return 0
    inputs, outputs = operation.input.shape[1:], operation.output.shape[1:]
    if isinstance(inner, layers.Dense):
        return 2 * math.prod(inputs) * outputs[-1]
    kinds = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
    transposed = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
    if not isinstance(inner, (*kinds, *transposed)) or inner.data_format != "channels_last":
        raise UserError(f"no count of operations for the layer {inner.name!r} ({type(inner).__name__})")
    # A transposed convolution is the adjoint of the convolution from its output to its input.
    fine, coarse = (outputs, inputs) if isinstance(inner, transposed) else (inputs, outputs)
    channels = inputs[-1] * outputs[-1] // getattr(inner, "groups", 1)
    return 2 * channels * _taps(fine[:-1], coarse[:-1], inner)


def _taps(fine: Sequence[int], coarse: Sequence[int], layer: Any) -> int:
    """Pairs of a pixel of `coarse` and a tap of the kernel on a pixel of `fine`: none that is padding."""
    total = 1
    axes = zip(fine, coarse, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    for n, m, kernel, stride, dilation in axes:
        reach = (m - 1) * stride + (kernel - 1) * dilation + 1
        before = 0 if layer.padding == "valid" else max(0, reach - n) // 2
        places = (i * stride + k * dilation - before for i in range(m) for k in range(kernel))
        total *= sum(0 <= place < n for place in places)
    return total
