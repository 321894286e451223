"""train_step: what it computes, and how often."""

import functools
import re

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import BATCH, make_gan
from keras import layers
from objectives_by_hand import EQUATIONS
from step_gan import assert_same_bits, step

import ganjax
from ganjax.step import METRICS

# What it computes.


@pytest.mark.parametrize("name", EQUATIONS)
def test_linear_gan_in_closed_form(name, key):
    """The original 1-D GAN, D(x) = w x + b, G(z) = a z + c: float64 NumPy, gradients by the chain rule."""

    def line():
        return keras.Sequential([keras.Input((1,)), layers.Dense(1)])

    rate = 0.25
    loss, sgd = getattr(ganjax.losses, name), optax.sgd(rate)
    gan = ganjax.GAN(
        line(),
        line(),
        loss,
        generator_optimizer=sgd,
        discriminator_optimizer=sgd,
        latent=ganjax.Normal(1.0, 10.0),
    )
    state = ganjax.init_state(gan, key)
    real = 10 + jax.random.normal(key, (BATCH, 1))
    (update_key,) = jax.random.split(jax.random.fold_in(state.key, 0), 1)
    latent_key, _ = jax.random.split(update_key)
    z = np.asarray(ganjax.sample_latent(gan, latent_key, BATCH), np.float64)
    x = np.asarray(real, np.float64)
    a, c = (np.asarray(p, np.float64).item() for p in state.generator.params)
    w, b = (np.asarray(p, np.float64).item() for p in state.discriminator.params)

    fake = a * z + c
    r, f = w * x + b, w * fake + b
    discriminator, generator = EQUATIONS[name]
    D_terms, in_r, in_f = discriminator(r, f)
    G_terms, in_f_of_G = generator(f, r)
    D_gradient = [np.mean(in_r * x + in_f * fake), np.mean(in_r + in_f)]
    G_gradient = [np.mean(in_f_of_G * w * z), np.mean(in_f_of_G * w)]  # nothing comes through r

    new, metrics = step(gan, state, real)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
    close([p.item() for p in new.discriminator.params], np.array([w, b]) - rate * np.array(D_gradient))
    close([p.item() for p in new.generator.params], np.array([a, c]) - rate * np.array(G_gradient))
    expected = {
        "discriminator_loss": np.mean(D_terms),
        "generator_loss": np.mean(G_terms),
        "penalty": 0.0,
        "real_logits": np.mean(r),
        "fake_logits": np.mean(f),
        "real_accuracy": np.mean(r > 0),
        "fake_accuracy": np.mean(f < 0),
        "discriminator_gradient_norm": np.linalg.norm(D_gradient),
        "generator_gradient_norm": np.linalg.norm(G_gradient),
        "finite": 1.0,
    }
    for metric, value in expected.items():
        close(metrics[metric], value, err_msg=metric)


def test_metrics_are_a_fixed_dict_of_float32_scalars(played):
    _, history = played
    for metrics in history:
        assert metrics.keys() == set(METRICS)
        assert all(value.dtype == jnp.float32 and value.shape == () for value in metrics.values())
        assert float(metrics["finite"]) == 1
        assert float(metrics["penalty"]) > 0


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_finite_becomes_0(gan, state, batches, bad):
    real = batches[0].at[0, 0].set(bad)
    _, metrics = step(gan, state, real)
    assert float(metrics["finite"]) == 0


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_key_stays_and_step_counts(update, key):
    gan = make_gan(by_hand.sequential, update=update)
    first = ganjax.init_state(gan, key)
    second, _ = step(gan, first, jnp.ones((BATCH, 2)))
    third, _ = step(gan, second, jnp.ones((BATCH, 2)))
    assert [int(s.step) for s in (first, second, third)] == [0, 1, 2]
    assert jnp.all(jax.random.key_data(first.key) == jax.random.key_data(third.key))


def test_steps_draw_other_latents(key):
    """With frozen networks only the latents differ between steps."""
    frozen = optax.set_to_zero()
    gan = make_gan(by_hand.sequential, generator_optimizer=frozen, discriminator_optimizer=frozen)
    first = ganjax.init_state(gan, key)
    second, one = step(gan, first, jnp.ones((BATCH, 2)))
    _, two = step(gan, second, jnp.ones((BATCH, 2)))
    assert_same_bits(first.generator, second.generator)
    assert float(one["real_logits"]) == float(two["real_logits"])
    assert float(one["fake_logits"]) != float(two["fake_logits"])


def test_average_without_decay_is_the_generator(key):
    gan = make_gan(by_hand.batch_normalized, ema_decay=0.0)
    state, _ = step(gan, ganjax.init_state(gan, key), jnp.ones((BATCH, 2)))
    for a, b in zip(state.ema.params, state.generator.params, strict=True):
        np.testing.assert_array_equal(a, b)


# How many calls.


class Counting(layers.Layer):
    calls = 0

    def call(self, x):
        type(self).calls += 1
        return x


class CountingG(Counting):
    calls = 0


class CountingD(Counting):
    calls = 0


@pytest.mark.parametrize(
    ("update", "n", "G_calls", "D_calls"),
    [("simultaneous", 1, 1, 2), ("alternating", 1, 2, 4), ("simultaneous", 3, 3, 6)],
)
def test_forward_passes(update, n, G_calls, D_calls, key):
    """Simultaneous: G once, D(real) and D(fake) once each; every further update of D once more each."""
    generator = keras.Sequential([keras.Input((3,)), CountingG(), layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), CountingD(), layers.Dense(1)])
    # Without a transform: the default one traces a function that is called twice only once.
    gan = ganjax.GAN(generator, discriminator, update=update, discriminator_updates=n, transform=None)
    state = ganjax.init_state(gan, key)
    CountingG.calls = CountingD.calls = 0
    jax.eval_shape(functools.partial(ganjax.train_step, gan), state, jnp.ones((n * BATCH, 2)))
    assert (CountingG.calls, CountingD.calls) == (G_calls, D_calls)


def test_products_of_the_simultaneous_step(key):
    """The compiler is left with no product that the mathematics does not need.

    For two dense layers each: G forward 2; D on both batches joined 2; gradients of D's kernels 2, of its
    hidden layer 1 and of its input 1, which serves both losses; gradients of G's kernels 2 and of its hidden
    layer 1.
    """
    gan = make_gan(by_hand.sequential)
    state = ganjax.init_state(gan, key)
    lowered = jax.jit(ganjax.train_step, static_argnums=0).lower(gan, state, jnp.ones((BATCH, 2)))
    assert lowered.as_text().count("stablehlo.dot_general") == 2 + 2 + 4 + 3


# Optimisers.


def moved(old, new):
    return jnp.sqrt(sum(jnp.sum((a - b) ** 2) for a, b in zip(new.params, old.params, strict=True)))


def test_schedules_of_each_network(key):
    """A step of gradient descent is as long as its rate times the gradient."""
    falling = optax.sgd(optax.linear_schedule(0.3, 0.0, 3))
    rising = optax.sgd(optax.linear_schedule(0.0, 0.2, 2))
    gan = make_gan(by_hand.sequential, generator_optimizer=falling, discriminator_optimizer=rising)
    state = ganjax.init_state(gan, key)
    for G_rate, D_rate in ((0.3, 0.0), (0.2, 0.1), (0.1, 0.2), (0.0, 0.2)):
        new, metrics = step(gan, state, jnp.ones((BATCH, 2)))
        G, D = moved(state.generator, new.generator), moved(state.discriminator, new.discriminator)
        np.testing.assert_allclose(G, G_rate * metrics["generator_gradient_norm"], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(D, D_rate * metrics["discriminator_gradient_norm"], rtol=1e-4, atol=1e-7)
        state = new


def test_optimizers_of_several_parts(key):
    """Clipping makes a step of a known length; adamw sees the weights it decays."""
    clipped = optax.chain(optax.clip_by_global_norm(1e-3), optax.sgd(1.0))
    adam, adamw = optax.adam(1e-2), optax.adamw(1e-2, weight_decay=0.5)
    real, news = jnp.ones((BATCH, 2)), []
    for D_optimizer in (adam, adamw):
        gan = make_gan(by_hand.sequential, generator_optimizer=clipped, discriminator_optimizer=D_optimizer)
        state = ganjax.init_state(gan, key)
        new, _ = step(gan, state, real)
        np.testing.assert_allclose(moved(state.generator, new.generator), 1e-3, rtol=1e-3)
        news.append(new.discriminator.params)
    for old, plain, decayed in zip(state.discriminator.params, *news, strict=True):
        np.testing.assert_allclose(plain - decayed, 1e-2 * 0.5 * old, rtol=1e-3, atol=1e-7)


# Precision.


@pytest.mark.parametrize("dtype", [np.float64, np.float16, jnp.bfloat16])
def test_any_floating_point_batch(gan, state, batches, dtype):
    real = np.asarray(batches[0]).round(1).astype(dtype)
    expected, _ = step(gan, state, real.astype(np.float32))
    assert_same_bits(step(gan, state, real)[0], expected)


def test_mixed_bfloat16(key):
    """Products in bfloat16; weights, logits and losses in float32."""

    def dense(*units):
        return [layers.Dense(n, dtype="mixed_bfloat16") for n in units]

    generator = keras.Sequential([keras.Input((3,)), *dense(8, 2)])
    discriminator = keras.Sequential([keras.Input((2,)), *dense(8, 1)])
    gan = ganjax.GAN(generator, discriminator, ganjax.losses.least_squares, penalties=(ganjax.R2(1.0),))
    state = ganjax.init_state(gan, key)
    real = jax.random.normal(key, (BATCH, 2))
    lowered = jax.jit(ganjax.train_step, static_argnums=0).lower(gan, state, real).as_text()
    dots = re.findall(r"stablehlo.dot_general.*->\s*tensor<[0-9x]*x(\w+)>", lowered)
    assert set(dots) == {"bf16"}
    new, metrics = step(gan, state, real)
    assert all(value.dtype == jnp.float32 for value in metrics.values())
    assert float(metrics["finite"]) == 1
    for network in (new.generator, new.discriminator, new.ema):
        assert all(p.dtype == jnp.float32 for p in network.params)
    assert ganjax.generate(gan, new, key, 2).dtype == jnp.float32
    logits = ganjax.discriminate(gan, new, real)
    assert logits.dtype == jnp.float32
    # The loss is taken of float32 logits: its mean is not rounded to bfloat16's 8 bits.
    losses = np.array([m["discriminator_loss"] for m in (metrics, step(gan, new, real)[1])])
    assert np.any(losses != losses.astype(jnp.bfloat16).astype(np.float32))
