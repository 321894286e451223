"""ganjax/networks/sines.py and fast.py"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jax import lax
from jax.extend import core

from ganjax.networks import fast_networks, fast_sines, mlp
from ganjax.networks.sines import sine_and_cosine

TINY = float(np.finfo(np.float32).smallest_subnormal)


def primitives_in(function, *operands):
    """Names of all equations, of those inside calls and derivative rules too."""

    def names(jaxpr):
        for equation in jaxpr.eqns:
            yield equation.primitive.name
            for inner in core.jaxprs_in_params(equation.params):
                yield from names(inner)

    return set(names(jax.make_jaxpr(function)(*operands).jaxpr))


def sines(x):
    return jnp.sin(3 * x) * jnp.cos(x) + x


def hard_points(limit=2e5):
    """The float32 nearest to each multiple of pi / 2 up to `limit` either way, and two on each side of it."""
    nearest = (np.arange(1, int(limit / (np.pi / 2))) * (np.pi / 2)).astype(np.float32)
    bits = nearest.view(np.int32)[:, None] + np.arange(-2, 3, dtype=np.int32)
    above = bits.view(np.float32).ravel()
    return np.concatenate([-above, above])


def sizes():
    """Many float32 numbers of every size up to 2e5."""
    uniform = np.random.default_rng(0).uniform(-2e5, 2e5, 100_000)
    geometric = np.geomspace(1e-30, 2e5, 50_001)
    return np.concatenate([np.linspace(-10, 10, 20_001), geometric, -geometric, uniform]).astype(np.float32)


def assert_as_promised(x, sine, cosine):
    exact = np.float64(x)
    np.testing.assert_allclose(sine, np.sin(exact), rtol=4e-7, atol=1e-37)
    np.testing.assert_allclose(sine, np.sin(exact), rtol=0, atol=2e-7)
    np.testing.assert_allclose(cosine, np.cos(exact), rtol=0, atol=4e-7)


@given(st.floats(-2e5, 2e5, width=32))
@example(TINY)
@example(-1e-39)
@example(91.10619354248047)
@example(933.0531005859375)
@example(199569.6875)
def test_sine_and_cosine_are_those_of_double_precision(x):
    assert_as_promised(x, *sine_and_cosine(jnp.float32(x)))


# XLA fuses products with sums at its usual level and not at level 0, nor where every operation is a program.
@pytest.mark.parametrize("compiled", [{}, {"xla_backend_optimization_level": 0}, None])
def test_every_multiple_of_a_right_angle_and_numbers_of_every_size(compiled):
    x = np.concatenate([hard_points(), sizes()])
    run = sine_and_cosine if compiled is None else jax.jit(sine_and_cosine, compiler_options=compiled)
    sine, cosine = run(jnp.asarray(x))
    assert sine.dtype == cosine.dtype == jnp.float32
    assert_as_promised(x, sine, cosine)


def test_they_are_as_exact_inside_vmap_grad_and_scan():
    rows = hard_points(2e4).reshape(-1, 5)

    def slopes(_, row):
        return None, (
            jax.vmap(jax.grad(fast_sines(jnp.cos)))(row),
            jax.vmap(jax.grad(fast_sines(jnp.sin)))(row),
        )

    _, (minus_sine, cosine) = jax.jit(lambda rows: lax.scan(slopes, None, rows))(rows)
    assert_as_promised(rows, -minus_sine, cosine)


def test_a_zero_keeps_its_sign():
    sine, cosine = jax.jit(sine_and_cosine)(jnp.array([0.0, -0.0]))
    np.testing.assert_array_equal(np.signbit(sine), [False, True])
    np.testing.assert_array_equal(sine, [0, 0])
    np.testing.assert_array_equal(cosine, [1, 1])


@pytest.mark.parametrize("x", [np.inf, -np.inf, np.nan])
def test_what_has_no_sine_has_none(x):
    assert np.isnan(sine_and_cosine(jnp.float32(x))).all()
    assert np.isnan(jax.grad(lambda x: sine_and_cosine(x)[0])(jnp.float32(x)))


def test_beyond_its_reach_it_stays_within_one():
    found = jnp.stack(sine_and_cosine(jnp.geomspace(2e5, 3e38, 1000, dtype=jnp.float32)))
    assert (np.abs(found) <= 1 + 5e-7).all()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_any_order(order):
    def derivative(function):
        for _ in range(order):
            function = jax.grad(function)
        return jax.jit(jax.vmap(function))

    x = jnp.linspace(-4, 4, 101)
    np.testing.assert_allclose(derivative(fast_sines(sines))(x), derivative(sines)(x), rtol=0, atol=2e-4)


def test_forward_mode():
    x, dx = jnp.linspace(-4, 4, 11), jnp.ones(11)
    _, tangent = jax.jvp(fast_sines(sines), (x,), (dx,))
    np.testing.assert_allclose(tangent, jax.jvp(sines, (x,), (dx,))[1], rtol=0, atol=1e-5)


def test_no_sine_is_left_and_nothing_else_is_touched():
    x = jnp.ones(3)
    assert {"sin", "cos"} <= primitives_in(sines, x)
    assert not {"sin", "cos"} & primitives_in(fast_sines(sines), x)
    assert not {"sin", "cos"} & primitives_in(jax.grad(lambda x: fast_sines(jax.jit(sines))(x).sum()), x)
    plain = jax.make_jaxpr(jnp.tanh)(x)
    assert str(jax.make_jaxpr(fast_sines(jnp.tanh))(x)) == str(plain)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_other_dtypes_are_left_as_they_are(dtype):
    x = jnp.ones(3, dtype)
    assert "sin" in primitives_in(fast_sines(jnp.sin), x)
    np.testing.assert_array_equal(fast_sines(jnp.sin)(x), jnp.sin(x))


@pytest.mark.usefixtures("keras_promotion")
def test_a_network_with_fourier_features_gives_the_same():
    network = mlp(2, [8], 1, fourier_features=4, fourier_scale=5.0)
    params = [v.value for v in network.trainable_variables]
    others = [v.value for v in network.non_trainable_variables]

    def forward(params, x):
        return network.stateless_call(params, others, x)[0]

    x = jax.random.normal(jax.random.key(0), (16, 2))
    np.testing.assert_allclose(fast_networks(forward)(params, x), forward(params, x), rtol=0, atol=1e-5)
    assert "sin" in primitives_in(forward, params, x)
    assert "sin" not in primitives_in(fast_networks(forward), params, x)
