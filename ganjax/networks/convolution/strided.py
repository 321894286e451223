"""Finds the strided and transposed convolutions of a jaxpr, and describes them in terms of `operations`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core
from jax.extend.core import primitives

from ganjax.networks.convolution.operations import Geometry, convolve, convolve_transpose
from ganjax.networks.interpreter import array_type


class Convolution(NamedTuple):
    """A convolution or a transposed one.

    Attributes:
        geometry: its image is the operand of a convolution, and the result of a transposed one.
        transposed: whether it is a transposed convolution.
        channels: of the image and of the features.
        batch: size of the batch.
        left, out: the axes of operand and result in the order batch, spatial axes, channels.
        kernel: the kernel's axes in the order spatial axes, image channels, feature channels. The window of a
            transposed convolution must also be mirrored, see `oriented`.
    """

    geometry: Geometry
    transposed: bool
    channels: tuple[int, int]
    batch: int
    left: tuple[int, ...]
    out: tuple[int, ...]
    kernel: tuple[int, ...]

    def oriented(self, kernel: jax.Array) -> jax.Array:
        """The equation's kernel as `operations` takes it: (*window, image channels, feature channels)."""
        kernel = kernel.transpose(self.kernel)
        return lax.rev(kernel, range(kernel.ndim - 2)) if self.transposed else kernel


def is_strided(equation: core.JaxprEqn) -> bool:
    """Whether this is a convolution that :func:`parse` supports, with a stride or a dilated input."""
    return is_supported(equation) and max(equation.params["window_strides"], default=1) != max(
        equation.params["lhs_dilation"], default=1
    )


def is_supported(equation: core.JaxprEqn) -> bool:
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


def parse(equation: core.JaxprEqn) -> Convolution:
    """The convolution of an equation for which :func:`is_supported` is true."""
    params = equation.params
    layout = params["dimension_numbers"]
    left, right = (array_type(atom).shape for atom in equation.invars)
    out = array_type(equation.outvars[0]).shape
    out_features, in_features, *spatial = layout.rhs_spec
    window = tuple(right[axis] for axis in spatial)
    padding = tuple(map(tuple, params["padding"]))
    transposed = max(params["lhs_dilation"]) > 1
    if transposed:
        # For the convolution that is transposed, the output here is the image, the window is mirrored, and
        # the two kinds of channels are exchanged.
        image_size = tuple(out[axis] for axis in layout.out_spec[2:])
        strides = params["lhs_dilation"]
        padding = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(window, padding, strict=True))
        kernel = (*spatial, out_features, in_features)
    else:
        image_size = tuple(left[axis] for axis in layout.lhs_spec[2:])
        strides = params["window_strides"]
        kernel = (*spatial, in_features, out_features)
    return Convolution(
        Geometry(image_size, window, tuple(strides), padding, params["precision"]),
        transposed,
        (right[kernel[-2]], right[kernel[-1]]),
        left[layout.lhs_spec[0]],
        _channels_last(layout.lhs_spec),
        _channels_last(layout.out_spec),
        kernel,
    )


def strided_rule(equation: core.JaxprEqn, inputs: Sequence[jax.Array]) -> list[jax.Array] | None:
    """A strided or transposed convolution by `operations.convolve` or `convolve_transpose`."""
    if not is_strided(equation):
        return None
    convolution, (left, right) = parse(equation), inputs
    operation: Any = convolve_transpose if convolution.transposed else convolve
    result = operation(convolution.geometry, left.transpose(convolution.left), convolution.oriented(right))
    return [result.transpose(np.argsort(convolution.out))]


def _channels_last(spec: Sequence[int]) -> tuple[int, ...]:
    batch, channels, *spatial = spec
    return (batch, *spatial, channels)
