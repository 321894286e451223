"""Evaluates a jaxpr equation by equation, so that some of its equations can be computed otherwise."""

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


class Carried(ABC):
    """A value that travels between rewritten equations in a form of its own."""

    @abstractmethod
    def settled(self) -> jax.Array:
        """The array that the original program has in its place."""


Rule = Callable[[core.JaxprEqn, Sequence[Any]], Sequence[Any] | None]
Matches = Callable[[core.JaxprEqn], bool]
Run = Callable[[core.ClosedJaxpr, Sequence[jax.Array]], Sequence[jax.Array]]


def rewritten(function: Callable[..., Any], run: Run) -> Callable[..., Any]:
    """The same function of pytrees of arrays, its program run by `run`: `(program, operands) -> arrays`."""

    @functools.wraps(function)
    def otherwise(*args: Any, **kwargs: Any) -> Any:
        closed, result = jax.make_jaxpr(function, return_shape=True)(*args, **kwargs)
        operands = [jnp.asarray(leaf) for leaf in jax.tree.leaves((args, kwargs))]
        return jax.tree.unflatten(jax.tree.structure(result), run(closed, operands))

    return otherwise


def evaluate(closed: core.ClosedJaxpr, operands: Sequence[Any], matches: Matches, rule: Rule) -> list[Any]:
    """The results of a jaxpr, its equations computed by `rule` where that applies.

    Args:
        closed: the program.
        operands: its inputs, arrays or carried values.
        matches: which equations make a program worth evaluating here; one without them and without carried
            inputs is left to JAX as a whole.
        rule: `(equation, inputs) -> outputs`, or None to leave the equation as it is. `jit`, `cond` and
            `checkpoint` are entered; loops and custom derivative rules are one equation like any other.

    Returns:
        Arrays or carried values.
    """
    if not (contains(closed.jaxpr, matches) or _any_carried(operands)):
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
            outputs = bind(equation, settle(inputs))
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def settle(values: Sequence[Any]) -> list[Any]:
    """Arrays, of arrays and carried values."""
    return [value.settled() if isinstance(value, Carried) else value for value in values]


def contains(jaxpr: core.Jaxpr, matches: Matches) -> bool:
    """Whether a matching equation is in the jaxpr, or in a call that :func:`evaluate` would enter."""
    return any(
        matches(equation) or any(contains(inner, matches) for inner in _entered(equation))
        for equation in jaxpr.eqns
    )


def bind(equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """One equation computed by JAX."""
    # A jaxpr of this one equation: JAX's own evaluator then knows how to bind any primitive.
    variables = {
        atom: value
        for atom, value in zip(equation.invars, inputs, strict=True)
        if not isinstance(atom, core.Literal)
    }
    alone = _empty_program().replace(
        invars=list(variables), outvars=equation.outvars, eqns=[equation], effects=equation.effects
    )
    return core.jaxpr_as_fun(core.ClosedJaxpr(alone, ()))(*variables.values())


def array_type(atom: Any) -> Any:
    """Shape and dtype of a jaxpr's atom."""
    return atom.aval


@functools.cache
def _empty_program() -> core.Jaxpr:
    return jax.make_jaxpr(lambda: ())().jaxpr


def _any_carried(values: Sequence[Any]) -> bool:
    return any(isinstance(value, Carried) for value in values)


def _entered(equation: core.JaxprEqn) -> Iterator[core.Jaxpr]:
    # A cond over platforms picks its branch by the device and not by its index: not ours to redo.
    if equation.primitive in _CALLS and equation.params.get("branches_platforms") is None:
        yield from core.jaxprs_in_params(equation.params)


def _enters(equation: core.JaxprEqn, inputs: Sequence[Any], matches: Matches) -> bool:
    carrying = equation.primitive is primitives.jit_p and _any_carried(inputs)
    return carrying or any(contains(inner, matches) for inner in _entered(equation))


def _run_jit(params: dict[str, Any], inputs: Sequence[Any], matches: Matches, rule: Rule) -> list[Any]:
    return evaluate(params["jaxpr"], inputs, matches, rule)


def _run_cond(params: dict[str, Any], inputs: Sequence[Any], matches: Matches, rule: Rule) -> list[Any]:
    index, *operands = settle(inputs)
    branches = [
        lambda *values, branch=branch: settle(evaluate(branch, values, matches, rule))
        for branch in params["branches"]
    ]
    return lax.switch(index, branches, *operands)


def _run_checkpoint(params: dict[str, Any], inputs: Sequence[Any], matches: Matches, rule: Rule) -> list[Any]:
    closed = core.ClosedJaxpr(params["jaxpr"], ())
    again = jax.checkpoint(
        lambda *values: settle(evaluate(closed, values, matches, rule)),
        prevent_cse=params["prevent_cse"],
        policy=params["policy"],
    )
    return again(*settle(inputs))


_CALLS = {
    primitives.jit_p: _run_jit,
    primitives.cond_p: _run_cond,
    primitives.remat_p: _run_checkpoint,
}
