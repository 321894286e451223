"""Mistakes are found before compiling and said in one line."""

import functools

import by_hand
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import game

import ganjax
from ganjax.checks import as_key


@pytest.fixture(scope="module")
def gan():
    return game(by_hand.sequential, discriminator_updates=2)


@pytest.fixture(scope="module")
def state(gan):
    return ganjax.init_state(gan, jax.random.key(0))


@pytest.mark.parametrize(
    ("real", "kind", "message"),
    [
        (np.zeros((4, 3), np.float32), ValueError, r"shape \(batch, 2\), got \(4, 3\)"),
        (np.zeros((4,), np.float32), ValueError, r"shape \(batch, 2\), got \(4,\)"),
        (np.zeros((), np.float32), ValueError, r"shape \(batch, 2\), got \(\)"),
        (np.zeros((2, 2, 2), np.float32), ValueError, r"shape \(batch, 2\), got \(2, 2, 2\)"),
        (np.zeros((0, 2), np.float32), ValueError, "holds 0 samples"),
        (
            np.zeros((5, 2), np.float32),
            ValueError,
            "5 samples, which cannot be split into .*=2",
        ),
        (np.zeros((4, 2), np.uint8), TypeError, r"floating point.* got uint8: scale pixels to \[-1, 1\]"),
        (np.zeros((4, 2), bool), TypeError, "floating point.* got bool"),
        (np.zeros((4, 2), np.complex64), TypeError, "floating point.* got complex64"),
    ],
)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_real(gan, state, real, kind, message, compiled):
    step = jax.jit(ganjax.train_step, static_argnums=0) if compiled else ganjax.train_step
    with pytest.raises(kind, match=message) as error:
        step(gan, state, real)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("real", [None, [[0.0, 0.0]], "real"])
def test_real_is_an_array(gan, state, real):
    with pytest.raises(TypeError, match=f"real must be an array, got {type(real).__name__}") as error:
        ganjax.train_step(gan, state, real)
    assert "\n" not in str(error.value)


ONE_KEY = jax.random.key(0)
NO_KEYS = [
    (0, TypeError, "a PRNG key is needed.* got int"),
    (None, TypeError, "a PRNG key is needed.* got NoneType"),
    (np.int32(3), TypeError, "a PRNG key is needed.* got an array of int32"),
    (jnp.zeros(2, jnp.int32), TypeError, "a PRNG key is needed.* got an array of int32"),
    (jnp.zeros((40, 40)), TypeError, "a PRNG key is needed.* got an array of float32"),
    (jnp.zeros((), jnp.uint32), TypeError, "a PRNG key is needed.* got an array of uint32"),
    (jnp.zeros(5, jnp.uint32), TypeError, "key"),
    (jax.random.split(ONE_KEY, 3), ValueError, r"one key is needed.* of shape \(3,\): use jax.vmap"),
    (jax.random.key_data(jax.random.split(ONE_KEY, 3)), ValueError, "one key is needed.*use jax.vmap"),
]


@pytest.mark.parametrize(("key", "kind", "message"), NO_KEYS)
def test_no_key(gan, state, key, kind, message):
    for function in (
        as_key,
        functools.partial(ganjax.init_state, gan),
        lambda key: ganjax.sample_latent(gan, key, 2),
        lambda key: ganjax.generate(gan, state, key, 2),
    ):
        with pytest.raises(kind, match=message) as error:
            function(key)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("seed", [0, 1, 2**31])
def test_legacy_keys_are_the_same_keys(seed):
    with jax.default_prng_impl("threefry2x32"):
        new, legacy = jax.random.key(seed), jax.random.key_data(jax.random.key(seed))
    assert as_key(new) is new
    for key in (legacy, np.asarray(legacy)):
        assert jnp.all(jax.random.key_data(as_key(key)) == legacy)
        assert jax.random.normal(as_key(key)) == jax.random.normal(new)


def test_keys_of_another_implementation(gan):
    state = ganjax.init_state(gan, jax.random.key(0, impl="rbg"))
    assert state.key.dtype == jax.random.key(0, impl="rbg").dtype
