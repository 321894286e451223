"""One step of every kind of network, against the same step written out in plain JAX."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from by_hand import BATCH, KINDS, QUICK, make_gan
from step_by_hand import Adam
from step_by_hand import step as step_by_hand

import ganjax

STEPS = 3


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_simultaneous_step_equals_that_written_out(kind, key):
    compare(kind, "simultaneous", 1, key)


@pytest.mark.parametrize("name", ["BatchNormalization", "Dropout", "SpectralNormalization"])
def test_alternating_step_with_two_discriminator_updates(name, key):
    compare(KINDS[name], "alternating", 2, key)


def test_alternating_step(key):
    compare(KINDS["subclassed"], "alternating", 1, key)


def test_simultaneous_step_with_three_discriminator_updates(key):
    compare(KINDS["Sequential"], "simultaneous", 3, key)


def compare(kind, update, discriminator_updates, key):
    adam = Adam()
    optimizer = optax.adam(adam.rate, b1=adam.b1, b2=adam.b2, eps=adam.epsilon)
    options = {"update": update, "discriminator_updates": discriminator_updates, "ema_decay": 0.15}
    gan = make_gan(kind, generator_optimizer=optimizer, discriminator_optimizer=optimizer, **options)
    step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)
    state = ganjax.init_state(gan, key)
    for i in range(STEPS):  # decay 0.1 at the first step, 0.15 after it
        shape = (discriminator_updates * BATCH, *gan.sample_shape)
        real = 2 + jax.random.normal(jax.random.fold_in(key, i), shape)
        expected = step_by_hand(kind, state, real, adam=adam, **options)
        before, (state, metrics) = state, step(gan, state, real)
        check(expected, before, state, metrics)


def check(expected, before, state, metrics):
    close = functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-5)
    assert metrics.keys() == expected["metrics"].keys()
    for name, value in expected["metrics"].items():
        close(metrics[name], value, err_msg=name)
    for name in ("generator", "discriminator"):
        network, by_hand = getattr(state, name), expected[name]
        memory = network.optimizer[0]
        pairs = {
            "params": (network.params, by_hand["params"]),
            "statistics": (network.statistics, by_hand["statistics"]),
            "m": (memory.mu, by_hand["m"]),
            "v": (memory.nu, by_hand["v"]),
            "t": ([memory.count], [by_hand["t"]]),
        }
        for part, (values, wanted) in pairs.items():
            for i, (value, want) in enumerate(zip(values, wanted, strict=True)):
                assert value.dtype == want.dtype
                close(value, want, err_msg=f"{name} {part} {i}")
        # It is no comparison of two steps that did nothing.
        old_params = getattr(before, name).params
        moved = [jnp.max(jnp.abs(new - old)) for new, old in zip(network.params, old_params, strict=True)]
        assert max(moved) > 1e-3, (name, moved)
    for part in ("params", "statistics"):
        for i, (value, want) in enumerate(zip(getattr(state.ema, part), expected["ema"][part], strict=True)):
            close(value, want, err_msg=f"ema {part} {i}")
    assert int(state.step) == int(before.step) + 1
    assert jnp.array_equal(jax.random.key_data(state.key), jax.random.key_data(before.key))
