"""Evaluating a jaxpr with a rule: which programs are evaluated, which are left alone, and wrapped values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from ganjax.networks.interpreter import Wrapped, contains, evaluate, unwrap

X = np.array([0.5, -1.0, 2.0], np.float32)


class Halved(Wrapped):
    """An array represented by its half."""

    def __init__(self, half):
        self.half = half

    def unwrapped(self):
        return 2 * self.half


def is_sine(equation):
    return equation.primitive.name == "sin"


def sine_by_cosine(equation, inputs):
    """Replace every sine by a cosine, so that results show what was replaced."""
    return [jnp.cos(*unwrap(inputs))] if is_sine(equation) else None


def run(function, *operands, rule=sine_by_cosine):
    closed = jax.make_jaxpr(function)(*operands)
    return unwrap(evaluate(closed, operands, is_sine, rule))


def sine(x):
    return 3 * jnp.sin(x)


def rewritten_sine(x):
    return 3 * jnp.cos(x)


@jax.custom_jvp
def with_jvp(x):
    return sine(x)


with_jvp.defjvp(lambda primals, tangents: (with_jvp(*primals), tangents[0]))


@jax.custom_vjp
def with_vjp(x):
    return sine(x)


with_vjp.defvjp(lambda x: (with_vjp(x), None), lambda _, y: (y,))

ENTERED = {
    "plain": (sine, rewritten_sine),
    "jit": (jax.jit(sine), rewritten_sine),
    "jit in jit": (jax.jit(lambda x: jax.jit(sine)(x) + 1), lambda x: rewritten_sine(x) + 1),
    "checkpoint": (jax.checkpoint(sine), rewritten_sine),
    "cond": (
        lambda x: lax.cond(x[0] > 0, sine, jnp.negative, x),
        lambda x: jnp.where(x[0] > 0, rewritten_sine(x), -x),
    ),
    "switch": (
        lambda x: lax.switch(x[2].astype("int32"), [jnp.negative, jnp.exp, sine], x),
        rewritten_sine,
    ),
}

LEFT_ALONE = {
    "custom_jvp": with_jvp,
    "custom_vjp": with_vjp,
    "while": lambda x: lax.while_loop(lambda x: x[0] < 4, lambda x: sine(x) + 5, x),
    "fori": lambda x: lax.fori_loop(0, 2, lambda _, x: sine(x), x),
    "scan": lambda x: lax.scan(lambda c, _: (sine(c), c), x, None, length=2)[1],
    "platform": lambda x: lax.platform_dependent(x, cpu=sine, default=sine),
}


@pytest.mark.parametrize("name", ENTERED)
def test_entered(name):
    function, expected = ENTERED[name]
    for x in (X, -X) if name == "cond" else (X,):
        np.testing.assert_allclose(run(function, x)[0], expected(x), rtol=1e-6)


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_left_alone_while_other_equations_are_replaced(name):
    function = LEFT_ALONE[name]
    alone, beside = run(lambda x: (function(x), jnp.sin(x)), X)
    np.testing.assert_allclose(alone, function(X), rtol=1e-6)
    np.testing.assert_allclose(beside, np.cos(X), rtol=1e-6)


@pytest.mark.parametrize("function", [with_jvp, with_vjp])
def test_a_custom_derivative_is_kept(function):
    def total(x):
        return jnp.sum(run(lambda x: function(x) + jnp.sin(x), x)[0])

    # The custom derivative is one, whatever the function is; the other sine became a cosine.
    np.testing.assert_allclose(jax.grad(total)(X), 1 - np.sin(X), rtol=1e-6)


def test_checkpoint_is_kept():
    rewritten = str(jax.make_jaxpr(lambda x: run(jax.checkpoint(sine), x))(X))
    assert "checkpoint" in rewritten or "remat" in rewritten


def test_a_program_without_a_match_is_unchanged():
    def function(x):
        return jax.jit(jnp.exp)(x) + 1

    def never(equation, inputs):
        raise AssertionError("the rule was called for a program without a match")

    np.testing.assert_array_equal(run(function, X, rule=never)[0], function(X))
    assert str(jax.make_jaxpr(lambda x: run(function, x, rule=never)[0])(X)) == str(
        jax.make_jaxpr(function)(X)
    )


@pytest.mark.parametrize("name", ENTERED)
def test_contains_finds_equations_that_evaluate_would_replace(name):
    assert contains(jax.make_jaxpr(ENTERED[name][0])(X).jaxpr, is_sine)


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_contains_ignores_programs_that_are_left_alone(name):
    assert not contains(jax.make_jaxpr(LEFT_ALONE[name])(X).jaxpr, is_sine)


def halving(equation, inputs):
    """The results of sines are wrapped and negations keep them wrapped; all other operations need arrays."""
    if is_sine(equation):
        return [Halved(jnp.sin(*unwrap(inputs)) / 2)]
    if equation.primitive.name == "neg" and isinstance(inputs[0], Halved):
        return [Halved(-inputs[0].half)]
    assert not any(isinstance(value, Halved) and equation.primitive.name == "neg" for value in inputs)
    return None


@pytest.mark.parametrize(
    "after",
    [
        lambda y: y,
        lambda y: -y,
        lambda y: jnp.exp(-y),
        jax.jit(lambda y: -y + 1),
        jax.checkpoint(lambda y: -y + 1),
        lambda y: lax.cond(y[0] > 0, jnp.exp, jnp.negative, y),
        lambda y: lax.fori_loop(0, 2, lambda _, c: c * y, y),
        with_jvp,
        with_vjp,
    ],
    ids=["result", "wrapped", "op", "jit", "checkpoint", "cond", "loop", "custom_jvp", "custom_vjp"],
)
def test_wrapped_values_are_unwrapped_where_an_array_is_needed(after):
    def function(x):
        return after(jnp.sin(x))

    np.testing.assert_allclose(run(function, X, rule=halving)[0], function(X), rtol=1e-6)


def test_wrapped_values_stay_wrapped_inside_jit():
    closed = jax.make_jaxpr(lambda x: jax.jit(jnp.negative)(jnp.sin(x)))(X)
    (result,) = evaluate(closed, [X], is_sine, halving)
    assert isinstance(result, Halved)
    np.testing.assert_allclose(result.unwrapped(), -np.sin(X), rtol=1e-6)


def test_a_wrapped_operand_stays_wrapped_in_a_program_without_a_match():
    closed = jax.make_jaxpr(jnp.negative)(X)
    (result,) = evaluate(closed, [Halved(X / 2)], is_sine, halving)
    assert isinstance(result, Halved)
    np.testing.assert_array_equal(result.unwrapped(), -X)


def test_effects_occur_once(capsys):
    def function(x):
        jax.debug.print("{}", jnp.sin(x[0]), ordered=False)
        return jax.jit(lambda x: jnp.sin(x))(x)

    jax.block_until_ready(jax.jit(lambda x: run(function, x))(X))
    jax.effects_barrier()
    assert capsys.readouterr().out.split() == [str(float(np.cos(X[0])))]


def test_constants_literals_and_unread_results():
    constant = np.arange(3, dtype=np.float32)

    def function(x):
        largest, _ = lax.top_k(jnp.sin(x), 1)
        return largest, x * constant + 2.0, x, 7.0

    largest, affine, same, literal = run(function, X)
    np.testing.assert_allclose(largest, [np.cos(X).max()], rtol=1e-6)
    np.testing.assert_array_equal(affine, X * constant + 2)
    np.testing.assert_array_equal(same, X)
    assert literal == 7.0
