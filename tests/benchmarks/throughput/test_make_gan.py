import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
from hypothesis import given

from benchmarks.throughput.gan import keras_adam


def by_keras(gradients: list[np.ndarray], rate: float, b1: float, b2: float) -> np.ndarray:
    variable = keras.Variable(np.zeros_like(gradients[0]))
    adam = keras.optimizers.Adam(rate, b1, b2, 1e-7)
    adam.build([variable])
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        for gradient in gradients:
            adam.apply([jnp.asarray(gradient)])
    return np.asarray(variable.value)


def by_optax(gradients: list[np.ndarray], adam: optax.GradientTransformation) -> np.ndarray:
    params = [jnp.zeros_like(gradients[0])]
    state = adam.init(params)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        for gradient in gradients:
            updates, state = adam.update([jnp.asarray(gradient)], state, params)
            params = optax.apply_updates(params, updates)
    return np.asarray(params[0])


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(2e-4, 0.5, 0.999), (0.5, 0.5, 0.8), (1e-3, 0.0, 0.99)]),
    st.sampled_from([1.0, 1e-4, 1e-7, 1e-9]),
)
def test_same_update_as_keras(seed, settings, size):
    gradients = list(size * np.random.default_rng(seed).normal(size=(20, 7)).astype(np.float32))
    ours, theirs = by_optax(gradients, keras_adam(*settings, 1e-7)), by_keras(gradients, *settings)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6 * settings[0])


def test_optax_adam_is_another_update_where_gradients_are_tiny():
    gradients = [np.full(3, 1e-7, np.float32)] * 5
    theirs = by_keras(gradients, 2e-4, 0.5, 0.999)
    assert np.all(np.abs(by_optax(gradients, optax.adam(2e-4, 0.5, 0.999)) / theirs - 1) > 0.5)
