"""Keeps images in a layout with the batch as the last axis from one Winograd convolution to the next.

A convolution returns a batch-last image. The table at the end has a rule for elementwise operations,
reductions, padding and so on, which keep the layout; for all other operations the image is transposed back.
Only the layout in memory changes, never a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

from ganjax.networks.convolution import winograd
from ganjax.networks.convolution.plans import Plan, plan_for
from ganjax.networks.convolution.strided import Convolution, is_supported, parse, strided_rule
from ganjax.networks.interpreter import Wrapped, array_type, bind, unwrap


class Image(Wrapped):
    """An image of the program in another layout: `array` has the program's axes in the order `axes`."""

    def __init__(self, array: jax.Array, axes: Sequence[int]) -> None:
        self.array, self.axes = array, tuple(axes)

    def unwrapped(self) -> jax.Array:
        return self.array.transpose(np.argsort(self.axes))


def has_plan(equation: core.JaxprEqn) -> bool:
    """Whether the equation is a convolution for which there is a Winograd plan."""
    return is_supported(equation) and _plan(equation, parse(equation)) is not None


def batch_last_rule(equation: core.JaxprEqn, inputs: Sequence[Any]) -> Sequence[Any] | None:
    """The equation computed on batch-last images, or None if there is no rule for it."""
    if is_supported(equation):
        return _convolution(equation, inputs)
    images = [value for value in inputs if isinstance(value, Image)]
    rule = RULES.get(equation.primitive.name)
    return rule(equation, inputs, images[0].axes) if images and rule else None


def _plan(equation: core.JaxprEqn, convolution: Convolution) -> Plan | None:
    if array_type(equation.outvars[0]).dtype != jnp.float32:
        return None
    return plan_for(convolution.geometry, convolution.channels, convolution.batch)


def _convolution(equation: core.JaxprEqn, inputs: Sequence[Any]) -> Sequence[Any] | None:
    convolution = parse(equation)
    plan = _plan(equation, convolution)
    if plan is None:
        return strided_rule(equation, unwrap(inputs))
    left, right = inputs
    operation = winograd.convolve_transpose if convolution.transposed else winograd.convolve
    (right,) = unwrap([right])
    result = operation(plan, _placed(left, _batch_last(convolution.left)), convolution.oriented(right))
    return [Image(result, _batch_last(convolution.out))]


def _batch_last(channels_last: Sequence[int]) -> tuple[int, ...]:
    batch, *spatial, channels = channels_last
    return (channels, *spatial, batch)


def _placed(value: Any, axes: tuple[int, ...]) -> Any:
    """The value as an array with its axes in this order; scalars are unchanged."""
    if isinstance(value, Image):
        return value.array if value.axes == axes else value.unwrapped().transpose(axes)
    return value if jnp.ndim(value) == 0 else jnp.transpose(value, axes)


def _elementwise(equation: core.JaxprEqn, inputs: Sequence[Any], axes: tuple[int, ...]) -> list[Any] | None:
    if any(not isinstance(value, Image) and jnp.ndim(value) not in (0, len(axes)) for value in inputs):
        return None
    result = equation.primitive.bind(*(_placed(value, axes) for value in inputs), **equation.params)
    return [Image(each, axes) for each in (result if equation.primitive.multiple_results else [result])]


def _custom_derivative(
    equation: core.JaxprEqn, inputs: Sequence[Any], axes: tuple[int, ...]
) -> list[Any] | None:
    """An activation with a custom derivative rule, such as relu.

    If it is elementwise, the order of the numbers does not matter: they are given to it in the layout's
    order, reshaped to the shape that it expects.
    """
    shape = array_type(equation.outvars[0]).shape
    same_shape = all(
        array_type(atom).shape == (shape if isinstance(value, Image) else ())
        for atom, value in zip(equation.invars, inputs, strict=True)
    )
    if len(equation.outvars) != 1 or not same_shape:
        return None
    if not _is_elementwise(equation.params["call_jaxpr"], shape):
        return None
    placed = [_placed(value, axes) for value in inputs]
    (result,) = bind(equation, [x if jnp.ndim(x) == 0 else x.reshape(shape) for x in placed])
    return [Image(result.reshape([shape[axis] for axis in axes]), axes)]


def _is_elementwise(closed: core.ClosedJaxpr, shape: tuple[int, ...]) -> bool:
    """Whether all equations are elementwise operations on scalars and arrays of one shape."""
    return all(
        all(atom.aval.shape in ((), shape) for atom in [*equation.invars, *equation.outvars])
        and (
            equation.primitive.name in ELEMENTWISE
            or equation.primitive.name == "broadcast_in_dim"
            or ("jaxpr" in equation.params and _is_elementwise(equation.params["jaxpr"], shape))
        )
        for equation in closed.jaxpr.eqns
    )


def _reduction(equation: core.JaxprEqn, inputs: Sequence[Any], axes: tuple[int, ...]) -> list[Any]:
    params = dict(equation.params)
    params["axes"] = tuple(sorted(axes.index(axis) for axis in params["axes"]))
    result = equation.primitive.bind(inputs[0].array, **params)
    left = [axis for axis in axes if axis not in equation.params["axes"]]
    return [result.transpose(np.argsort(left))]


def _transpose(equation: core.JaxprEqn, inputs: Sequence[Any], axes: tuple[int, ...]) -> list[Any]:
    permutation = equation.params["permutation"]
    return [Image(inputs[0].array, [permutation.index(axis) for axis in axes])]


def _pad(equation: core.JaxprEqn, inputs: Sequence[Any], axes: tuple[int, ...]) -> list[Any]:
    padding = [equation.params["padding_config"][axis] for axis in axes]
    return [Image(lax.pad(inputs[0].array, inputs[1], padding), axes)]


def _slice(equation: core.JaxprEqn, inputs: Sequence[Any], axes: tuple[int, ...]) -> list[Any]:
    names = ("start_indices", "limit_indices", "strides")
    bounds: list[Any] = [equation.params[name] for name in names]
    placed = [bound and [bound[axis] for axis in axes] for bound in bounds]
    return [Image(lax.slice(inputs[0].array, *placed), axes)]


def _concatenate(equation: core.JaxprEqn, inputs: Sequence[Any], axes: tuple[int, ...]) -> list[Any]:
    dimension = axes.index(equation.params["dimension"])
    return [Image(lax.concatenate([_placed(value, axes) for value in inputs], dimension), axes)]


# fmt: off
ELEMENTWISE = frozenset([
    "abs", "add", "add_any", "and", "cbrt", "ceil", "clamp", "convert_element_type", "copy", "cos", "div",
    "eq", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "ge", "gt", "integer_pow", "is_finite",
    "le", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne", "neg", "nextafter", "not", "or",
    "pow", "reduce_precision", "rem", "round", "rsqrt", "select_n", "sign", "sin", "sqrt", "square",
    "stop_gradient", "sub", "tan", "tanh", "xor",
])
# fmt: on

RULES = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(["reduce_sum", "reduce_max", "reduce_min", "reduce_prod"], _reduction),
    "custom_jvp_call": _custom_derivative,
    "transpose": _transpose,
    "pad": _pad,
    "slice": _slice,
    "concatenate": _concatenate,
}
