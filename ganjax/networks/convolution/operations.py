"""A strided convolution and its two gradients, as three operations that are each other's derivatives.

The convolution, its gradient with respect to the image (Keras's transposed convolution) and its gradient
with respect to the kernel belong to one trilinear form,

    <features, convolve(image, kernel)> = <image, convolve_transpose(features, kernel)>
                                        = <kernel, kernel_gradient(image, features)>,

so the two derivatives of each one are the other two. Automatic differentiation does not find them. It
writes the kernel gradient of a transposed convolution as a convolution with zeros between the features
and with a window as large as the image. XLA runs this as a naive loop on CPUs, and does not recognise
it as one of cuDNN's three operations on GPUs. The second derivative of an ordinary strided convolution,
which R1 and WGAN-GP penalties need, contains such a convolution too.

Images are (batch, *image_size, image_channels), features (batch, *feature_size, feature_channels) and
kernels (*kernel_size, image_channels, feature_channels), with any number of spatial axes and the same
floating dtype.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class Geometry(NamedTuple):
    """Sizes, strides and padding of the three operations, one entry per spatial axis.

    ``padding`` is the (low, high) padding of the image, negative where it is cropped; ``precision`` is
    that of `jax.lax.conv_general_dilated`.
    """

    image_size: tuple[int, ...]
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    precision: Any = None

    @property
    def feature_size(self) -> tuple[int, ...]:
        """Size of the features that :func:`convolve` returns."""
        axes = zip(self.image_size, self.kernel_size, self.strides, self.padding, strict=True)
        return tuple((size + sum(pads) - window) // stride + 1 for size, window, stride, pads in axes)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def convolve(geometry: Geometry, image: jax.Array, kernel: jax.Array) -> jax.Array:
    """The strided convolution: image and kernel to features."""
    axes = _axis_letters(geometry)
    return lax.conv_general_dilated(
        image,
        kernel,
        window_strides=geometry.strides,
        padding=geometry.padding,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        precision=geometry.precision,
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def convolve_transpose(geometry: Geometry, features: jax.Array, kernel: jax.Array) -> jax.Array:
    """The transposed convolution: features and kernel to an image.

    Each feature vector, multiplied by the kernel, is added to the window of the image from which
    :func:`convolve` computes it.
    """
    dilated = functools.partial(_transpose_dilated, geometry)
    divisible = all(k % s == 0 for k, s in zip(geometry.kernel_size, geometry.strides, strict=True))
    if not divisible or math.prod(features.shape[1:-1]) == 1:
        return dilated(features, kernel)
    blockwise = functools.partial(_transpose_blockwise, geometry)
    return lax.platform_dependent(features, kernel, cpu=blockwise, default=dilated)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def kernel_gradient(geometry: Geometry, image: jax.Array, features: jax.Array) -> jax.Array:
    """The kernel gradient: image and features to a kernel.

    This is a convolution too: the features are its kernel, the sum is over the batch, and the image's
    channels take the place of the batch.
    """
    axes = _axis_letters(geometry)
    padding = [
        (low, window - 1 + extent - size - low)
        for size, window, (low, _), extent in _per_axis(geometry, features)
    ]
    return lax.conv_general_dilated(
        image,
        features,
        window_strides=(1,) * len(axes),
        padding=padding,
        rhs_dilation=geometry.strides,
        dimension_numbers=(f"C{axes}N", f"I{axes}O", f"{axes}NC"),
        precision=geometry.precision,
    )


def _with_operands(operation: Any) -> Callable[..., Any]:
    def forward(geometry: Geometry, left: jax.Array, right: jax.Array) -> Any:
        return operation(geometry, left, right), (left, right)

    return forward


def _convolve_pullback(geometry: Geometry, operands: tuple[jax.Array, jax.Array], features: jax.Array):
    image, kernel = operands
    return convolve_transpose(geometry, features, kernel), kernel_gradient(geometry, image, features)


def _convolve_transpose_pullback(geometry: Geometry, operands: tuple[jax.Array, jax.Array], image: jax.Array):
    features, kernel = operands
    return convolve(geometry, image, kernel), kernel_gradient(geometry, image, features)


def _kernel_gradient_pullback(geometry: Geometry, operands: tuple[jax.Array, jax.Array], kernel: jax.Array):
    image, features = operands
    return convolve_transpose(geometry, features, kernel), convolve(geometry, image, kernel)


convolve.defvjp(_with_operands(convolve), _convolve_pullback)
convolve_transpose.defvjp(_with_operands(convolve_transpose), _convolve_transpose_pullback)
kernel_gradient.defvjp(_with_operands(kernel_gradient), _kernel_gradient_pullback)


def _transpose_dilated(geometry: Geometry, features: jax.Array, kernel: jax.Array) -> jax.Array:
    """:func:`convolve_transpose` as the convolution that cuDNN recognises as the gradient of the image."""
    axes = _axis_letters(geometry)
    padding = [
        (window - 1 - low, size - extent + low)
        for size, window, (low, _), extent in _per_axis(geometry, features)
    ]
    return lax.conv_general_dilated(
        features,
        lax.rev(kernel, range(len(axes))),
        window_strides=(1,) * len(axes),
        padding=padding,
        lhs_dilation=geometry.strides,
        dimension_numbers=(f"N{axes}C", f"{axes}OI", f"N{axes}C"),
        precision=geometry.precision,
    )


def _transpose_blockwise(geometry: Geometry, features: jax.Array, kernel: jax.Array) -> jax.Array:
    """:func:`convolve_transpose` without inserted zeros, if the strides divide the window.

    The image is divided into blocks as large as the strides, so that a window covers whole blocks. An
    ordinary convolution computes all pixels of a block as channels, which are then put in their places.
    """
    axes, strides = _axis_letters(geometry), geometry.strides
    rank, channels = len(axes), kernel.shape[-2]
    taps = [window // stride for window, stride in zip(geometry.kernel_size, strides, strict=True)]
    # From (tap, pixel, tap, pixel, ..., channel, feature) to (tap, ..., pixel, ..., channel, feature).
    split = [size for pair in zip(taps, strides, strict=True) for size in pair]
    grouped = [*range(0, 2 * rank, 2), *range(1, 2 * rank, 2), 2 * rank, 2 * rank + 1]
    kernel = kernel.reshape(*split, *kernel.shape[-2:]).transpose(grouped)
    blocks = lax.conv_general_dilated(
        features,
        lax.rev(kernel.reshape(*taps, -1, kernel.shape[-1]), range(rank)),
        window_strides=(1,) * rank,
        padding=[(tap - 1, tap - 1) for tap in taps],
        dimension_numbers=(f"N{axes}C", f"{axes}OI", f"N{axes}C"),
        precision=geometry.precision,
    )
    # From (image, block, ..., pixel, ..., channel) to (image, block, pixel, block, pixel, ..., channel).
    counts = blocks.shape[1:-1]
    interleaved = [axis for i in range(rank) for axis in (1 + i, 1 + rank + i)]
    image = blocks.reshape(-1, *counts, *strides, channels).transpose(0, *interleaved, 2 * rank + 1)
    sizes = [count * stride for count, stride in zip(counts, strides, strict=True)]
    # The blocks cover all windows in the padded image: remove the padding, and add pixels in no window.
    margins = [
        (-low, wanted - size + low, 0)
        for wanted, size, (low, _) in zip(geometry.image_size, sizes, geometry.padding, strict=True)
    ]
    zero = jnp.zeros((), image.dtype)
    return lax.pad(image.reshape(-1, *sizes, channels), zero, [(0, 0, 0), *margins, (0, 0, 0)])


def _axis_letters(geometry: Geometry) -> str:
    return "XYZUVW"[: len(geometry.strides)]


def _per_axis(geometry: Geometry, features: jax.Array) -> zip:
    """For each spatial axis: image size, kernel size, padding, and the extent of the dilated features."""
    extents = [s * (n - 1) + 1 for s, n in zip(geometry.strides, features.shape[1:-1], strict=True)]
    return zip(geometry.image_size, geometry.kernel_size, geometry.padding, extents, strict=True)
