"""Which convolutions of a jaxpr are strided or transposed, and how they read in terms of `operations`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core
from jax.extend.core import primitives

from ganjax.networks.convolution.operations import Geometry, convolve, spread
from ganjax.networks.interpreter import array_type


class Strided(NamedTuple):
    """A convolution, or the transpose of one.

    `image` is what the underlying convolution reads: the output, if transposed. `left` and `out` give the
    axes of the operand and of the result as batch, spatial axes, channels; `kernel` brings the kernel's to
    spatial axes, image channels, feature channels, after which a transposed one's window is mirrored.
    """

    geometry: Geometry
    transposed: bool
    channels: tuple[int, int]
    batch: int
    left: tuple[int, ...]
    out: tuple[int, ...]
    kernel: tuple[int, ...]

    def oriented(self, kernel: jax.Array) -> jax.Array:
        """The equation's kernel as (*window, image channels, feature channels)."""
        kernel = kernel.transpose(self.kernel)
        return lax.rev(kernel, range(kernel.ndim - 2)) if self.transposed else kernel


def is_strided(equation: core.JaxprEqn) -> bool:
    """Whether this is a convolution that :func:`read` reads, with a stride or a dilated input."""
    return is_readable(equation) and max(equation.params["window_strides"], default=1) != max(
        equation.params["lhs_dilation"], default=1
    )


def is_readable(equation: core.JaxprEqn) -> bool:
    """Whether this is an ungrouped float convolution with a dense window, strided, transposed or neither."""
    if equation.primitive is not primitives.conv_general_dilated_p:
        return False
    params = equation.params
    left, right = (array_type(atom) for atom in equation.invars)
    strided = max(params["window_strides"], default=1) > 1
    transposed = max(params["lhs_dilation"], default=1) > 1
    return (
        not (strided and transposed)
        and max(params["rhs_dilation"], default=1) == 1
        and params["feature_group_count"] == params["batch_group_count"] == 1
        and left.dtype == right.dtype
        and jnp.issubdtype(left.dtype, jnp.floating)
        and params["preferred_element_type"] in (None, left.dtype)
        and params.get("out_sharding") is None
    )


def read(equation: core.JaxprEqn) -> Strided:
    """The equation, of which :func:`is_readable` holds, as a convolution or the transpose of one."""
    params = equation.params
    layout = params["dimension_numbers"]
    left, right = (array_type(atom).shape for atom in equation.invars)
    out = array_type(equation.outvars[0]).shape
    out_features, in_features, *spatial = layout.rhs_spec
    window = tuple(right[axis] for axis in spatial)
    padding = tuple(map(tuple, params["padding"]))
    transposed = max(params["lhs_dilation"]) > 1
    if transposed:
        # Seen from the convolution it transposes, its output is the image and its window is mirrored, with
        # the two kinds of channels exchanged.
        image_size = tuple(out[axis] for axis in layout.out_spec[2:])
        strides = params["lhs_dilation"]
        padding = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(window, padding, strict=True))
        kernel = (*spatial, out_features, in_features)
    else:
        image_size = tuple(left[axis] for axis in layout.lhs_spec[2:])
        strides = params["window_strides"]
        kernel = (*spatial, in_features, out_features)
    return Strided(
        Geometry(image_size, window, tuple(strides), padding, params["precision"]),
        transposed,
        (right[kernel[-2]], right[kernel[-1]]),
        left[layout.lhs_spec[0]],
        _channels_last(layout.lhs_spec),
        _channels_last(layout.out_spec),
        kernel,
    )


def strided_rule(equation: core.JaxprEqn, inputs: Sequence[jax.Array]) -> list[jax.Array] | None:
    """A strided or transposed convolution by `operations.convolve` or `spread`."""
    if not is_strided(equation):
        return None
    what, (left, right) = read(equation), inputs
    operation: Any = spread if what.transposed else convolve
    result = operation(what.geometry, left.transpose(what.left), what.oriented(right))
    return [result.transpose(np.argsort(what.out))]


def _channels_last(spec: Sequence[int]) -> tuple[int, ...]:
    batch, channels, *spatial = spec
    return (batch, *spatial, channels)
