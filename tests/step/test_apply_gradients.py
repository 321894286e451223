"""ganjax/step.py: G's gradient through unrolled updates of D (Metz et al. 2017, section 2.2)."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
from keras import layers

import ganjax
from ganjax import losses

RATE = 0.3

step = jax.jit(ganjax.train_step, static_argnums=0)


def make_gan(unrolling):
    sgd = optax.sgd(RATE)
    return ganjax.GAN(
        keras.Sequential([keras.Input((2,)), layers.Dense(1)]),
        keras.Sequential([keras.Input((1,)), layers.Dense(1)]),
        loss=losses.zero_sum,
        generator_optimizer=sgd,
        discriminator_optimizer=sgd,
        ema_decay=0.0,
        update="alternating",
        unrolling=unrolling,
    )


def test_the_generators_gradient_passes_through_the_unrolled_updates(key):
    gan = make_gan(unrolling=2)
    state, real = ganjax.init_state(gan, key), jnp.linspace(-1, 1, 6)[:, None]
    after, _ = step(gan, state, real)
    z = ganjax.draws.draw(gan, state.key, state.step, 6).generator.latents

    def D_loss(D, fake):
        logits = [x @ D[0] + D[1][None] for x in (real, fake)]
        return losses.discriminator_loss(*logits)

    def G_loss(G):
        fake = z @ G[0] + G[1][None]
        D = after.discriminator.params
        for _ in range(2):
            D = [p - RATE * g for p, g in zip(D, jax.grad(D_loss)(D, fake), strict=True)]
        return -D_loss(D, fake)

    params = state.generator.params
    gradient = jax.jit(jax.grad(G_loss))(params)
    expected = [p - RATE * g for p, g in zip(params, gradient, strict=True)]
    for found, wanted in zip(after.generator.params, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


def test_no_unrolling_is_the_alternating_update(key):
    real = jnp.linspace(-1, 1, 6)[:, None]
    ahead, plain = (step(gan, ganjax.init_state(gan, key), real)[0] for gan in (make_gan(1), make_gan(0)))
    assert not np.array_equal(ahead.generator.params[0], plain.generator.params[0])
    np.testing.assert_array_equal(ahead.discriminator.params[0], plain.discriminator.params[0])
