"""Floating-point operations of a training step, from the shapes of the two networks' layers.

Multiplications and additions count one each. Only layers with a kernel are counted: dense layers,
convolutions and transposed convolutions, computed directly. Each has up to three products of the same size:
its output, the gradient of its input and the gradient of its kernel. Taps of a convolution on padding are not
counted, as in XLA's own count.

Elementwise operations, normalisation, activations, optimisers and averages are left out: they take a few
operations for each value, while a layer with 64 channels takes a thousand. So are the products of spectral
normalisation, which do not depend on the batch. A faster algorithm, such as Winograd's, needs fewer
operations; the count measures the work and not the algorithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import layers

from ganjax.system.errors import UserError


class LayerWork(NamedTuple):
    """The operations of one layer.

    Attributes:
        name: name of the layer.
        forward: operations for its output, for one sample.
        kernel_gradient: whether its kernel needs a gradient, because its weights are trained.
        input_gradient: whether its input needs a gradient, because a layer before it is trained.
    """

    name: str
    forward: int
    kernel_gradient: bool
    input_gradient: bool

    @property
    def gradients(self) -> int:
        """The number of gradients, each with as many operations as `forward`."""
        return self.kernel_gradient + self.input_gradient


def step_flops(generator: keras.Model, discriminator: keras.Model, batch: int, *, seeds: int = 1) -> int:
    """Operations of one simultaneous step, in which both networks are updated from one shared forward pass.

    G's layers compute their output and the gradients of kernel and input once. D's layers compute them twice,
    for real and for generated samples, and the gradient of their input once more, for G's loss. Inputs before
    which nothing is trained need no gradient, except for the generated samples.

    Args:
        generator, discriminator: Sequential or Functional models.
        batch: number of real samples in a step, and of generated ones.
        seeds: number of such pairs of networks.

    Raises:
        UserError: a model is not Sequential or Functional, or operations of a layer cannot be counted.
    """
    total = 0
    for layer in network(generator):
        total += layer.forward * (1 + layer.gradients)
    for layer in network(discriminator):
        total += layer.forward * (2 * (1 + layer.gradients) + 1)
    return total * batch * seeds


def network(model: keras.Model) -> list[LayerWork]:
    """The layers of `model` with a kernel, in order; raises UserError as `step_flops` does."""
    operations = model.layers if isinstance(model, keras.Sequential) else getattr(model, "operations", None)
    if operations is None:
        raise UserError(
            f"the operations of {model.name!r} cannot be counted: it is not Sequential or Functional"
        )
    found, trained = [], set()  # trained: tensors that depend on trained weights
    for operation in operations:
        if isinstance(operation, layers.InputLayer):
            continue
        input_gradient = any(id(tensor) in trained for tensor in keras.tree.flatten(operation.input))
        kernel_gradient = bool(getattr(operation, "trainable_weights", []))
        if input_gradient or kernel_gradient:
            trained |= {id(tensor) for tensor in keras.tree.flatten(operation.output)}
        if forward := _forward(operation):
            found.append(LayerWork(operation.name, forward, kernel_gradient, input_gradient))
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
        raise UserError(f"operations of the layer {inner.name!r} ({type(inner).__name__}) cannot be counted")
    # A transposed convolution is the adjoint of the convolution from its output to its input.
    fine, coarse = (outputs, inputs) if isinstance(inner, transposed) else (inputs, outputs)
    channels = inputs[-1] * outputs[-1] // getattr(inner, "groups", 1)
    return 2 * channels * _taps(fine[:-1], coarse[:-1], inner)


def _taps(fine: Sequence[int], coarse: Sequence[int], layer: Any) -> int:
    """Number of pairs of a pixel of `coarse` and a tap of the kernel on a pixel of `fine`, not on padding."""
    total = 1
    axes = zip(fine, coarse, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    for n, m, kernel, stride, dilation in axes:
        extent = (m - 1) * stride + (kernel - 1) * dilation + 1
        before = 0 if layer.padding == "valid" else max(0, extent - n) // 2
        positions = (i * stride + k * dilation - before for i in range(m) for k in range(kernel))
        total *= sum(0 <= position < n for position in positions)
    return total
