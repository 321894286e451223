"""Winograd convolutions: fewer multiplications, for images whose batch is the last axis.

Minimal filtering (minimal_filtering.py) is applied along height and width. A strided convolution whose stride
divides its window is equal to one with stride 1 and window / stride taps on blocks of stride x stride pixels.
So the 4x4 convolution with stride 2 of DCGANs can use F(4, 2): 25 products instead of 64. Between the
transforms (transforms.py) there is only a batch of matrix products, and with the batch last each of them
reads both its operands along rows.

As in operations.py, convolution, transposed convolution and kernel gradient are each other's derivatives,
here as operations on tiles: derivatives of any order use the same tiles again.

Shapes: images (c, height, width, batch), features (d, height, width, batch), kernels (height, width, c, d),
tiles (points, channels, places), where `points` is the product over both axes, the channels of an image's
tiles are stride * stride * c, and `places` is tiles down * tiles across * batch. All float32.
"""

from __future__ import annotations

import functools

import jax
from jax import lax

from ganjax.networks.convolution.plans import Plan
from ganjax.networks.convolution.transforms import (
    features_to_tiles,
    image_to_tiles,
    kernel_to_tiles,
    kernel_to_tiles_by_features,
    tiles_to_features,
    tiles_to_image,
    tiles_to_kernel,
)


def convolve(plan: Plan, image: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution: image `(c, height, width, batch)` and kernel to features `(d, ...)`."""
    return tiles_to_features(plan, _convolve(plan, image_to_tiles(plan, image), kernel))


def convolve_transpose(plan: Plan, features: jax.Array, kernel: jax.Array) -> jax.Array:
    """The transposed convolution: features `(d, height, width, batch)` and kernel to an image `(c, ...)`."""
    return tiles_to_image(plan, _convolve_transpose(plan, features_to_tiles(plan, features), kernel))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve(plan: Plan, image: jax.Array, kernel: jax.Array) -> jax.Array:
    """Tiles (points, c, places) of an image, and a kernel, to tiles of features (points, d, places)."""
    return _products(kernel_to_tiles_by_features(plan, kernel), image, 2, 1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve_transpose(plan: Plan, features: jax.Array, kernel: jax.Array) -> jax.Array:
    """Tiles (points, d, places) of features, and a kernel, to tiles of an image (points, c, places)."""
    return _products(kernel_to_tiles(plan, kernel), features, 2, 1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel_gradient(plan: Plan, image: jax.Array, features: jax.Array) -> jax.Array:
    """Tiles of an image (points, c, places) and of features (points, d, places) to a kernel."""
    return tiles_to_kernel(plan, _products(image, features, 2, 2))


def _products(left: jax.Array, right: jax.Array, left_axis: int, right_axis: int) -> jax.Array:
    return lax.dot_general(left, right, (((left_axis,), (right_axis,)), ((0,), (0,))))


_convolve.defvjp(
    lambda plan, image, kernel: (_convolve(plan, image, kernel), (image, kernel)),
    lambda plan, operands, features: (
        _convolve_transpose(plan, features, operands[1]),
        _kernel_gradient(plan, operands[0], features),
    ),
)
_convolve_transpose.defvjp(
    lambda plan, features, kernel: (_convolve_transpose(plan, features, kernel), (features, kernel)),
    lambda plan, operands, image: (
        _convolve(plan, image, operands[1]),
        _kernel_gradient(plan, image, operands[0]),
    ),
)
_kernel_gradient.defvjp(
    lambda plan, image, features: (_kernel_gradient(plan, image, features), (image, features)),
    lambda plan, operands, kernel: (
        _convolve_transpose(plan, operands[1], kernel),
        _convolve(plan, operands[0], kernel),
    ),
)
