"""Averages, counts of updates, and scales of losses: what a step keeps besides weights."""

import dataclasses

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from keras import layers
from small_gans import BATCH, RATE, REAL, D, G, sgd, stepped

import ganjax
from ganjax.training.chunks import compile_chunk


def test_the_decay_of_the_average_needs_no_warm_up():
    gan = sgd(G(), D(), ema_decay=0.75, ema_warmup=False)
    state, _, after, _ = stepped(gan, REAL)
    for old, new, mean in zip(state.generator.params, after.generator.params, after.ema.params, strict=True):
        np.testing.assert_allclose(mean, 0.75 * old + 0.25 * new, rtol=1e-6, atol=1e-7)


def test_averages_and_penalties_count_updates_of_multi_steps():
    counted = []

    def counting(discriminator, real, fake, *, key, step):
        return step.astype(jnp.float32)

    gathered = {
        f"{role}_optimizer": optax.MultiSteps(optax.sgd(RATE), 2) for role in ("generator", "discriminator")
    }
    gan = sgd(G(), D(), penalties=(counting,), **gathered)
    state = ganjax.init_state(gan, jax.random.key(0))
    step = jax.jit(ganjax.train_step, static_argnums=0)
    states = [state]
    for _ in range(4):
        state, metrics = step(gan, state, REAL)
        states.append(state)
        counted.append(float(metrics["penalty"]))
    assert counted == [0, 0, 1, 1]
    assert int(state.step) == 4
    expected = states[0].ema.params[0]
    for done, (before, after) in enumerate(zip(states[:-1:2], states[2::2], strict=True)):
        np.testing.assert_array_equal(states[2 * done + 1].ema.params[0], before.ema.params[0])
        decay = (1 + done) / (10 + done)
        expected = decay * expected + (1 - decay) * after.generator.params[0]
        np.testing.assert_allclose(after.ema.params[0], expected, rtol=1e-6, atol=1e-7)


def test_moving_averages_of_the_generator_advance_once_a_step():
    """However often D is updated: they are those of the pass whose gradient changes G."""
    normalized = keras.Sequential(
        [keras.Input((3,)), layers.BatchNormalization(momentum=0.5), layers.Dense(2)]
    )
    gan = sgd(normalized, D(), discriminator_updates=3, update="alternating")
    state = ganjax.init_state(gan, jax.random.key(0))
    draws = ganjax.draws.draw(gan, state.key, state.step, BATCH)
    after, _ = ganjax.train_step(gan, state, np.concatenate([REAL] * 3))
    mean = np.mean(draws.generator.latents, axis=0)
    np.testing.assert_allclose(after.generator.statistics[0], 0.5 * mean, rtol=1e-5, atol=1e-6)


def float16_pair():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return G(), D()
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_step_whose_gradients_overflow_is_skipped_and_counted():
    gan = sgd(*float16_pair(), loss_scale=ganjax.LossScale(initial=2.0**30, factor=2.0**12))
    state = ganjax.init_state(gan, jax.random.key(0))
    chunk = compile_chunk(gan, BATCH, 4)
    before = jax.tree.map(jnp.copy, state)
    source = ganjax.datasets.batches.Whole(REAL)
    state, rows = chunk(state, source, jax.random.key(1), 1)
    assert rows["skipped_updates"][0] == 2
    assert rows["finite"][0] == 1
    assert not np.isfinite(rows["generator_gradient_norm"][0])
    assert rows["loss_scale"][0] == 2.0**18
    for name in ("generator", "discriminator"):
        was, now = getattr(before, name), getattr(state, name)
        np.testing.assert_array_equal(
            np.concatenate([*map(np.ravel, was.params)]), np.concatenate([*map(np.ravel, now.params)])
        )
    state, rows = chunk(state, source, jax.random.key(1), 3)
    assert rows["skipped_updates"][2] == 0
    assert any(np.any(a != b) for a, b in zip(before.generator.params, state.generator.params, strict=True))
    assert int(state.generator.loss_scale.skipped) >= 1


def test_a_scaled_loss_gives_the_same_update():
    """Powers of two: the same numbers, but for those too small for float16."""
    pair = float16_pair()
    plain, scaled = (
        sgd(*pair, penalties=(ganjax.R1(0.1),), loss_scale=scale)
        for scale in (None, ganjax.LossScale(2.0**8))
    )
    for update in ("simultaneous", "alternating"):
        one, other = (stepped(dataclasses.replace(gan, update=update), REAL)[2] for gan in (plain, scaled))
        for network in ("generator", "discriminator"):
            for a, b in zip(getattr(one, network).params, getattr(other, network).params, strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("loss_scale", ganjax.LossScale()), ("augment", ganjax.augmentations.Adaptive(lambda key, x: x))],
)
def test_a_state_of_another_gan(name, value):
    plain, other = sgd(G(), D()), sgd(G(), D(), **{name: value})
    for gan, start, what in ((plain, other, "has a state"), (other, plain, "lacks the state")):
        with pytest.raises(ValueError, match=f"the state {what} of {name}"):
            ganjax.train_step(gan, ganjax.init_state(start, jax.random.key(0)), REAL)
