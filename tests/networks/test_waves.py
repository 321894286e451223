"""ganjax/networks/waves.py and fast.py"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.extend import core

from ganjax.networks import fast_networks, fast_waves, mlp
from ganjax.networks.waves import sine_and_cosine


def primitives_in(function, *operands):
    """Names of all equations, of those inside calls and derivative rules too."""

    def names(jaxpr):
        for equation in jaxpr.eqns:
            yield equation.primitive.name
            for inner in core.jaxprs_in_params(equation.params):
                yield from names(inner)

    return set(names(jax.make_jaxpr(function)(*operands).jaxpr))


def waves(x):
    return jnp.sin(3 * x) * jnp.cos(x) + x


@given(st.floats(-2e5, 2e5, width=32))
def test_sine_and_cosine_are_those_of_double_precision(x):
    found = sine_and_cosine(jnp.float32(x))
    np.testing.assert_allclose(found, (np.sin(x), np.cos(x)), rtol=0, atol=5e-7)


def test_many_of_every_size():
    x = np.concatenate([np.linspace(-10, 10, 20_001), np.geomspace(1e-30, 2e5, 20_001)]).astype(np.float32)
    sine, cosine = jax.jit(sine_and_cosine)(x)
    assert sine.dtype == cosine.dtype == jnp.float32
    exact = x.astype(np.float64)
    np.testing.assert_allclose(sine, np.sin(exact), rtol=0, atol=5e-7)
    np.testing.assert_allclose(cosine, np.cos(exact), rtol=0, atol=5e-7)
    small = np.abs(x) < 1e-3
    np.testing.assert_allclose(sine[small], np.sin(exact[small]), rtol=3e-7)


@pytest.mark.parametrize("x", [np.inf, -np.inf, np.nan])
def test_what_has_no_sine_has_none(x):
    assert np.isnan(sine_and_cosine(jnp.float32(x))).all()


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
    np.testing.assert_allclose(derivative(fast_waves(waves))(x), derivative(waves)(x), rtol=0, atol=2e-4)


def test_forward_mode():
    x, dx = jnp.linspace(-4, 4, 11), jnp.ones(11)
    _, tangent = jax.jvp(fast_waves(waves), (x,), (dx,))
    np.testing.assert_allclose(tangent, jax.jvp(waves, (x,), (dx,))[1], rtol=0, atol=1e-5)


def test_no_sine_is_left_and_nothing_else_is_touched():
    x = jnp.ones(3)
    assert {"sin", "cos"} <= primitives_in(waves, x)
    assert not {"sin", "cos"} & primitives_in(fast_waves(waves), x)
    assert not {"sin", "cos"} & primitives_in(jax.grad(lambda x: fast_waves(jax.jit(waves))(x).sum()), x)
    plain = jax.make_jaxpr(jnp.tanh)(x)
    assert str(jax.make_jaxpr(fast_waves(jnp.tanh))(x)) == str(plain)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_other_dtypes_are_left_as_they_are(dtype):
    x = jnp.ones(3, dtype)
    assert "sin" in primitives_in(fast_waves(jnp.sin), x)
    np.testing.assert_array_equal(fast_waves(jnp.sin)(x), jnp.sin(x))


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
