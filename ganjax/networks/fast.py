"""Transforms that make stock networks fast.

`fast_convolutions` replaces convolutions by faster ones, and `fast_networks` replaces sines as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import lax
from jax.extend import core

from ganjax.networks.convolution.batch_last import batch_last_rule, has_plan
from ganjax.networks.convolution.strided import is_strided, is_supported, strided_rule
from ganjax.networks.interpreter import contains, evaluate, rewritten, unwrap
from ganjax.networks.waves import fast_waves


def fast_networks(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with fast convolutions (`fast_convolutions`) and fast sines (`fast_waves`).

    Up to rounding; derivatives must be taken of the *returned* function.
    """
    return fast_convolutions(fast_waves(function))


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
