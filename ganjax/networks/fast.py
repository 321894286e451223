"""Transforms that make stock networks fast: `fast_networks` replaces their convolutions and their sines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jax.extend.core import primitives

from ganjax.networks.convolution.batch_last import batch_last_rule, has_plan
from ganjax.networks.convolution.strided import is_strided, is_supported, strided_rule
from ganjax.networks.interpreter import array_type, contains, evaluate, rewritten, unwrap
from ganjax.networks.sines import sine_and_cosine


def fast_networks(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, up to rounding, with `fast_convolutions` and `fast_sines`.

    Derivatives must be taken of the *returned* function.
    """
    return fast_convolutions(fast_sines(function))


def fast_convolutions(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with convolutions that are fast and differentiate well.

    Args:
        function: a pure function of pytrees of arrays to a pytree of arrays, for example
            ``lambda params, state, x: model.stateless_call(params, state, x, training=True)``.
            Anything that is not an array (flags, models) belongs in its closure.

    Returns:
        A function with the same arguments and results, up to rounding. Derivatives must be taken
        of the *returned* function. It works with ``jit``, ``vmap``, ``grad`` and ``vjp`` of any
        order (reverse over reverse), and with sharded inputs. Forward-mode derivatives (``jvp``)
        raise JAX's TypeError about custom_vjp if a convolution of ``function`` was replaced;
        otherwise they work, as the program is unchanged.

    Ungrouped convolutions (``keras.layers.Conv*D``, ``Conv*DTranspose``) in any layout are replaced,
    also inside ``jit``, ``cond`` and ``checkpoint``. Grouped, dilated and mixed-precision ones, and
    those inside loops or custom derivative rules, are left unchanged.

    What replaces them depends on the platform for which the function is lowered. On a CPU they become
    Winograd convolutions with the batch as the images' last axis (batch_last.py), if they fit into
    tiles. Other strided and transposed ones, and all of these on other platforms, become native
    convolutions whose derivatives are native convolutions too (operations.py).
    """

    def run(closed: core.ClosedJaxpr, operands: Sequence[jax.Array]) -> Sequence[jax.Array]:
        def native(*operands: Any) -> list[Any]:
            return evaluate(closed, operands, is_strided, strided_rule)

        def batch_last(*operands: Any) -> list[Any]:
            return unwrap(evaluate(closed, operands, is_supported, batch_last_rule))

        # lax.platform_dependent chooses when the function is lowered for a platform, not when it is traced.
        if contains(closed.jaxpr, has_plan):
            return lax.platform_dependent(*operands, cpu=batch_last, default=native)
        return native(*operands)

    return rewritten(function, run)


def fast_sines(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with float32 sines and cosines that are several times faster on a CPU.

    On a CPU, XLA calls a routine of the C library for each sine. Here a sine is a few products and sums,
    which XLA vectorises. For |x| up to 2e5 radians, the error of a sine is at most 2e-7 and its relative
    error at most 4e-7; the error of a cosine is at most 4e-7. For larger |x|, where neighbouring float32
    numbers differ by .016 radians or more, the results are some numbers in [-1, 1], up to rounding.

    Args:
        function: a pure function of pytrees of arrays to a pytree of arrays.

    Returns:
        A function with the same arguments and results, differentiable to any order in both modes. Sines in
        loops and in custom derivative rules are left unchanged.
    """
    return rewritten(function, lambda closed, operands: evaluate(closed, operands, _is_sine_or_cosine, _rule))


def _is_sine_or_cosine(equation: core.JaxprEqn) -> bool:
    return (
        equation.primitive in (primitives.sin_p, primitives.cos_p)
        and equation.params.get("accuracy") is None
        and array_type(equation.outvars[0]).dtype == jnp.float32
    )


def _rule(equation: core.JaxprEqn, inputs: Sequence[Any]) -> Sequence[Any] | None:
    if not _is_sine_or_cosine(equation):
        return None
    sine, cosine = sine_and_cosine(inputs[0])
    return [sine if equation.primitive is primitives.sin_p else cosine]
