"""Evaluates a jaxpr equation by equation, so that a rule can replace some of its equations."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jax.extend.core import primitives


class Wrapped(ABC):
    """An array in another representation, such as another layout, which rules pass from one to the next."""

    @abstractmethod
    def unwrapped(self) -> jax.Array:
        """The array as the original program has it."""


Rule = Callable[[core.JaxprEqn, Sequence[Any]], Sequence[Any] | None]
Matches = Callable[[core.JaxprEqn], bool]
Run = Callable[[core.ClosedJaxpr, Sequence[jax.Array]], Sequence[jax.Array]]


def rewritten(function: Callable[..., Any], run: Run) -> Callable[..., Any]:
    """The same function of pytrees of arrays, but its jaxpr is evaluated by `run(jaxpr, operands)`."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        closed, result = jax.make_jaxpr(function, return_shape=True)(*args, **kwargs)
        operands = [jnp.asarray(leaf) for leaf in jax.tree.leaves((args, kwargs))]
        return jax.tree.unflatten(jax.tree.structure(result), run(closed, operands))

    return wrapper


def evaluate(closed: core.ClosedJaxpr, operands: Sequence[Any], matches: Matches, rule: Rule) -> list[Any]:
    """The results of a jaxpr, with equations computed by `rule` where it applies.

    Args:
        closed: the program.
        operands: its inputs, arrays or wrapped values.
        matches: the equations for which the rule exists. A program without such equations and without wrapped
            inputs is evaluated by JAX as a whole.
        rule: `(equation, inputs) -> outputs`, or None to let JAX compute the equation. The programs inside
            `jit`, `cond` and `checkpoint` are evaluated in the same way; a loop or a custom derivative rule
            is a single equation.

    Returns:
        Arrays or wrapped values.
    """
    if not (contains(closed.jaxpr, matches) or _any_wrapped(operands)):
        return core.jaxpr_as_fun(closed)(*operands)
    jaxpr = closed.jaxpr
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *operands], strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        outputs = rule(equation, inputs)
        if outputs is None and _enters(equation, inputs, matches):
            outputs = _CALLS[equation.primitive](equation.params, inputs, matches, rule)
        if outputs is None:
            outputs = bind(equation, unwrap(inputs))
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def unwrap(values: Sequence[Any]) -> list[Any]:
    """Arrays from arrays and wrapped values."""
    return [value.unwrapped() if isinstance(value, Wrapped) else value for value in values]


def contains(jaxpr: core.Jaxpr, matches: Matches) -> bool:
    """Whether the jaxpr, or a program inside it that :func:`evaluate` evaluates, has a matching equation."""
    return any(
        matches(equation) or any(contains(inner, matches) for inner in _entered(equation))
        for equation in jaxpr.eqns
    )


def bind(equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of one equation, computed by JAX."""
    # Made into a jaxpr of this single equation, which JAX's own evaluator computes for any primitive.
    variables = {
        atom: value
        for atom, value in zip(equation.invars, inputs, strict=True)
        if not isinstance(atom, core.Literal)
    }
    single = _empty_program().replace(
        invars=list(variables), outvars=equation.outvars, eqns=[equation], effects=equation.effects
    )
    return core.jaxpr_as_fun(core.ClosedJaxpr(single, ()))(*variables.values())


def array_type(atom: Any) -> Any:
    """Shape and dtype of a jaxpr's atom."""
    return atom.aval


@functools.cache
def _empty_program() -> core.Jaxpr:
    return jax.make_jaxpr(lambda: ())().jaxpr


def _any_wrapped(values: Sequence[Any]) -> bool:
    return any(isinstance(value, Wrapped) for value in values)


def _entered(equation: core.JaxprEqn) -> Iterator[core.Jaxpr]:
    # A cond over platforms chooses its branch by the device, which is unknown here.
    if equation.primitive in _CALLS and equation.params.get("branches_platforms") is None:
        yield from core.jaxprs_in_params(equation.params)


def _enters(equation: core.JaxprEqn, inputs: Sequence[Any], matches: Matches) -> bool:
    wrapped_call = equation.primitive is primitives.jit_p and _any_wrapped(inputs)
    return wrapped_call or any(contains(inner, matches) for inner in _entered(equation))


def _run_jit(params: dict[str, Any], inputs: Sequence[Any], matches: Matches, rule: Rule) -> list[Any]:
    return evaluate(params["jaxpr"], inputs, matches, rule)


def _run_cond(params: dict[str, Any], inputs: Sequence[Any], matches: Matches, rule: Rule) -> list[Any]:
    index, *operands = unwrap(inputs)
    branches = [
        lambda *values, branch=branch: unwrap(evaluate(branch, values, matches, rule))
        for branch in params["branches"]
    ]
    return lax.switch(index, branches, *operands)


def _run_checkpoint(params: dict[str, Any], inputs: Sequence[Any], matches: Matches, rule: Rule) -> list[Any]:
    closed = core.ClosedJaxpr(params["jaxpr"], ())
    checkpointed = jax.checkpoint(
        lambda *values: unwrap(evaluate(closed, values, matches, rule)),
        prevent_cse=params["prevent_cse"],
        policy=params["policy"],
    )
    return checkpointed(*unwrap(inputs))


_CALLS = {
    primitives.jit_p: _run_jit,
    primitives.cond_p: _run_cond,
    primitives.remat_p: _run_checkpoint,
}
