"""Replaces the strided convolutions inside a pure function, before anything is differentiated."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core
from jax.extend.core import primitives

from .operations import Geometry, convolve, spread


def fast_convolutions(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with strided and transposed convolutions that differentiate well.

    Args:
        function: a pure function of pytrees of arrays to a pytree of arrays, for example
            ``lambda params, state, x: model.stateless_call(params, state, x, training=True)``.
            Anything that is not an array (flags, models) belongs in its closure.

    Returns:
        A function of the same arguments and results, up to rounding. Derivatives must be taken
        of the *returned* function. It composes with ``jit``, ``vmap``, ``grad`` and ``vjp`` to any
        order (reverse over reverse), and with sharded inputs. Forward-mode derivatives (``jvp``)
        raise JAX's TypeError about custom_vjp when ``function`` has such a convolution; without
        one, the function's own jaxpr is evaluated as it is.

    Rewritten are ungrouped convolutions with a stride (``keras.layers.Conv*D``) or a dilated input
    (``keras.layers.Conv*DTranspose``) in any layout, also inside ``jit``, ``cond`` and
    ``checkpoint``. Grouped, atrous and mixed-precision ones, and those inside loops or custom
    derivative rules, are left as they are.
    """

    @functools.wraps(function)
    def rewritten(*args: Any, **kwargs: Any) -> Any:
        closed, result = jax.make_jaxpr(function, return_shape=True)(*args, **kwargs)
        operands = [jnp.asarray(leaf) for leaf in jax.tree.leaves((args, kwargs))]
        return jax.tree.unflatten(jax.tree.structure(result), _evaluate(closed, operands))

    return rewritten


def _evaluate(closed: core.ClosedJaxpr, operands: Sequence[Any]) -> list[Any]:
    """Evaluates a jaxpr equation by equation, its strided convolutions by the three operations."""
    if not _has_target(closed.jaxpr):
        return core.jaxpr_as_fun(closed)(*operands)
    jaxpr = closed.jaxpr
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *operands], strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        if _is_target(equation):
            outputs = [_apply(equation, *inputs)]
        elif _is_known_call(equation) and any(map(_has_target, _inner(equation))):
            outputs = _CALLS[equation.primitive](equation.params, inputs)
        else:
            outputs = _bind_unchanged(jaxpr, equation, inputs)
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _bind_unchanged(jaxpr: core.Jaxpr, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    # A jaxpr of this one equation: JAX's own evaluator then knows how to bind any primitive.
    variables = {
        atom: value
        for atom, value in zip(equation.invars, inputs, strict=True)
        if not isinstance(atom, core.Literal)
    }
    alone = jaxpr.replace(
        constvars=(),
        invars=list(variables),
        outvars=equation.outvars,
        eqns=[equation],
        effects=equation.effects,
    )
    return core.jaxpr_as_fun(core.ClosedJaxpr(alone, ()))(*variables.values())


def _run_jit(params: dict[str, Any], inputs: Sequence[Any]) -> list[Any]:
    return _evaluate(params["jaxpr"], inputs)


def _run_cond(params: dict[str, Any], inputs: Sequence[Any]) -> list[Any]:
    index, *operands = inputs
    branches = [lambda *values, branch=branch: _evaluate(branch, values) for branch in params["branches"]]
    return lax.switch(index, branches, *operands)


def _run_checkpoint(params: dict[str, Any], inputs: Sequence[Any]) -> list[Any]:
    closed = core.ClosedJaxpr(params["jaxpr"], ())
    again = jax.checkpoint(
        lambda *values: _evaluate(closed, values),
        prevent_cse=params["prevent_cse"],
        policy=params["policy"],
    )
    return again(*inputs)


_CALLS = {
    primitives.jit_p: _run_jit,
    primitives.cond_p: _run_cond,
    primitives.remat_p: _run_checkpoint,
}


def _is_known_call(equation: core.JaxprEqn) -> bool:
    # A cond over platforms picks its branch by the device and not by its index: not ours to redo.
    by_platform = equation.params.get("branches_platforms") is not None
    return equation.primitive in _CALLS and not by_platform


def _inner(equation: core.JaxprEqn) -> list[core.Jaxpr]:
    return list(core.jaxprs_in_params(equation.params))


def _has_target(jaxpr: core.Jaxpr) -> bool:
    return any(
        _is_target(equation) or (_is_known_call(equation) and any(map(_has_target, _inner(equation))))
        for equation in jaxpr.eqns
    )


def _is_target(equation: core.JaxprEqn) -> bool:
    if equation.primitive is not primitives.conv_general_dilated_p:
        return False
    params = equation.params
    left, right = (_array_type(atom) for atom in equation.invars)
    strided = max(params["window_strides"], default=1) > 1
    transposed = max(params["lhs_dilation"], default=1) > 1
    return (
        strided != transposed
        and max(params["rhs_dilation"]) == 1
        and params["feature_group_count"] == params["batch_group_count"] == 1
        and left.dtype == right.dtype
        and jnp.issubdtype(left.dtype, jnp.floating)
        and params["preferred_element_type"] in (None, left.dtype)
        and params.get("out_sharding") is None
    )


def _apply(equation: core.JaxprEqn, left: jax.Array, right: jax.Array) -> jax.Array:
    """Evaluates one strided or transposed convolution by :func:`convolve` or :func:`spread`."""
    params = equation.params
    layout = params["dimension_numbers"]
    left = left.transpose(_channels_last(layout.lhs_spec))
    out_features, in_features, *spatial = layout.rhs_spec
    right = right.transpose(*spatial, in_features, out_features)
    kernel_size = right.shape[:-2]
    padding = tuple(map(tuple, params["padding"]))
    if max(params["window_strides"]) > 1:
        geometry = Geometry(
            left.shape[1:-1], kernel_size, params["window_strides"], padding, params["precision"]
        )
        result: Any = convolve(geometry, left, right)
    else:
        # Seen from the convolution it transposes, its output is the image and its window is
        # mirrored, with the two kinds of channels exchanged.
        image_size = [_array_type(equation.outvars[0]).shape[axis] for axis in layout.out_spec[2:]]
        mirrored = tuple(
            (window - 1 - low, window - 1 - high)
            for window, (low, high) in zip(kernel_size, padding, strict=True)
        )
        geometry = Geometry(
            tuple(image_size), kernel_size, params["lhs_dilation"], mirrored, params["precision"]
        )
        kernel = lax.rev(right, range(len(kernel_size))).swapaxes(-1, -2)
        result = spread(geometry, left, kernel)
    return result.transpose(np.argsort(_channels_last(layout.out_spec)))


def _array_type(atom: Any) -> Any:
    """Shape and dtype of a jaxpr's atom."""
    return atom.aval


def _channels_last(spec: Sequence[int]) -> tuple[int, ...]:
    batch, channels, *spatial = spec
    return (batch, *spatial, channels)
