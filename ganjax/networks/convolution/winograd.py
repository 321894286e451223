"""Convolutions with fewer multiplications, for images whose batch is the last axis.

Winograd's minimal filtering (minimal_filtering.py) once along the height and once along the width. A strided
convolution whose stride divides its window is one of stride 1 with window / stride taps on the pixels
gathered stride by stride, so the 4x4 one of stride 2 that DCGANs are made of takes F(4, 2): 25 products in
place of 64. All that stands between the transforms (transforms.py) is one batch of matrix products, and with
the batch last each of them reads both its operands along their rows.

Convolution, input gradient (the transposed convolution) and kernel gradient are each other's derivatives on
tiles too, as they are in operations.py: they share the tiles they have in common, to any order.

Shapes: images (c, height, width, batch), features (d, height, width, batch), kernels (height, width, c, d),
tiles (points, channels, places), where `points` counts those of both axes, the channels of an image's tiles
are stride * stride * c and `places` are tiles down * tiles across * batch. All float32.
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


def spread(plan: Plan, features: jax.Array, kernel: jax.Array) -> jax.Array:
    """The transposed convolution: features `(d, height, width, batch)` and kernel to an image `(c, ...)`."""
    return tiles_to_image(plan, _spread(plan, features_to_tiles(plan, features), kernel))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve(plan: Plan, image: jax.Array, kernel: jax.Array) -> jax.Array:
    """Tiles (points, c, places) of an image and a kernel to those of features, (points, d, places)."""
    return _products(kernel_to_tiles_by_features(plan, kernel), image, 2, 1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _spread(plan: Plan, features: jax.Array, kernel: jax.Array) -> jax.Array:
    """Tiles (points, d, places) of features and a kernel to those of an image, (points, c, places)."""
    return _products(kernel_to_tiles(plan, kernel), features, 2, 1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _correlate(plan: Plan, image: jax.Array, features: jax.Array) -> jax.Array:
    """Tiles (points, c, places) and (points, d, places) to a kernel."""
    return tiles_to_kernel(plan, _products(image, features, 2, 2))


def _products(left: jax.Array, right: jax.Array, left_axis: int, right_axis: int) -> jax.Array:
    return lax.dot_general(left, right, (((left_axis,), (right_axis,)), ((0,), (0,))))


_convolve.defvjp(
    lambda plan, image, kernel: (_convolve(plan, image, kernel), (image, kernel)),
    lambda plan, operands, features: (
        _spread(plan, features, operands[1]),
        _correlate(plan, operands[0], features),
    ),
)
_spread.defvjp(
    lambda plan, features, kernel: (_spread(plan, features, kernel), (features, kernel)),
    lambda plan, operands, image: (
        _convolve(plan, image, operands[1]),
        _correlate(plan, image, operands[0]),
    ),
)
_correlate.defvjp(
    lambda plan, image, features: (_correlate(plan, image, features), (image, features)),
    lambda plan, operands, kernel: (
        _spread(plan, operands[1], kernel),
        _convolve(plan, operands[0], kernel),
    ),
)
