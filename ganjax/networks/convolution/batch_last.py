"""Carries images with their batch as the last axis from one Winograd convolution to the next.

A convolution makes an image batch-last; elementwise operations, reductions, padding and the like keep it
so, each by its line of the table at the end; whatever has no line gets the image back as the program has it.
Images never change their values, only their place in memory.
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
from ganjax.networks.convolution.strided import Strided, is_readable, read, strided_rule
from ganjax.networks.interpreter import Carried, array_type, bind, settle


class Image(Carried):
    """An image of the program, `array` being its axes in the order `axes`."""

    def __init__(self, array: jax.Array, axes: Sequence[int]) -> None:
        self.array, self.axes = array, tuple(axes)

    def settled(self) -> jax.Array:
        return self.array.transpose(np.argsort(self.axes))


def has_form(equation: core.JaxprEqn) -> bool:
    """Whether the equation is a convolution that Winograd's form serves."""
    return is_readable(equation) and _plan(equation, read(equation)) is not None


def batch_last_rule(equation: core.JaxprEqn, inputs: Sequence[Any]) -> Sequence[Any] | None:
    """The equation on batch-last images, where there is a way."""
    if is_readable(equation):
        return _convolution(equation, inputs)
    images = [value for value in inputs if isinstance(value, Image)]
    rule = RULES.get(equation.primitive.name)
    return rule(equation, inputs, images[0].axes) if images and rule else None


def _plan(equation: core.JaxprEqn, what: Strided) -> Plan | None:
    if array_type(equation.outvars[0]).dtype != jnp.float32:
        return None
    return plan_for(what.geometry, what.channels, what.batch)


def _convolution(equation: core.JaxprEqn, inputs: Sequence[Any]) -> Sequence[Any] | None:
    what = read(equation)
    plan = _plan(equation, what)
    if plan is None:
        return strided_rule(equation, settle(inputs))
    left, right = inputs
    operation = winograd.spread if what.transposed else winograd.convolve
    (right,) = settle([right])
    result = operation(plan, _placed(left, _batch_last(what.left)), what.oriented(right))
    return [Image(result, _batch_last(what.out))]


def _batch_last(channels_last: Sequence[int]) -> tuple[int, ...]:
    batch, *spatial, channels = channels_last
    return (channels, *spatial, batch)


def _placed(value: Any, axes: tuple[int, ...]) -> Any:
    """The value's array with its axes in this order; scalars as they are."""
    if isinstance(value, Image):
        return value.array if value.axes == axes else value.settled().transpose(axes)
    return value if jnp.ndim(value) == 0 else jnp.transpose(value, axes)


def _elementwise(equation: core.JaxprEqn, inputs: Sequence[Any], axes: tuple[int, ...]) -> list[Any] | None:
    if any(not isinstance(value, Image) and jnp.ndim(value) not in (0, len(axes)) for value in inputs):
        return None
    result = equation.primitive.bind(*(_placed(value, axes) for value in inputs), **equation.params)
    return [Image(each, axes) for each in (result if equation.primitive.multiple_results else [result])]


def _custom_derivative(
    equation: core.JaxprEqn, inputs: Sequence[Any], axes: tuple[int, ...]
) -> list[Any] | None:
    """An activation with a derivative of its own, as relu has.

    It acts on every number alone, so it may be given the numbers in any order: under the shape it knows.
    """
    shape = array_type(equation.outvars[0]).shape
    alike = all(
        array_type(atom).shape == (shape if isinstance(value, Image) else ())
        for atom, value in zip(equation.invars, inputs, strict=True)
    )
    if len(equation.outvars) != 1 or not alike or not _acts_on_numbers(equation.params["call_jaxpr"], shape):
        return None
    placed = [_placed(value, axes) for value in inputs]
    (result,) = bind(equation, [x if jnp.ndim(x) == 0 else x.reshape(shape) for x in placed])
    return [Image(result.reshape([shape[axis] for axis in axes]), axes)]


def _acts_on_numbers(closed: core.ClosedJaxpr, shape: tuple[int, ...]) -> bool:
    """Whether every equation is elementwise on arrays of one shape, scalars aside."""
    return all(
        all(atom.aval.shape in ((), shape) for atom in [*equation.invars, *equation.outvars])
        and (
            equation.primitive.name in ELEMENTWISE
            or equation.primitive.name == "broadcast_in_dim"
            or ("jaxpr" in equation.params and _acts_on_numbers(equation.params["jaxpr"], shape))
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
