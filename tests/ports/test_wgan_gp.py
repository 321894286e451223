"""WGAN-GP: Gulrajani et al. 2017, as in the Keras example "WGAN-GP overriding Model.train_step" (2020)."""

import jax
import jax.numpy as jnp
import keras
import optax
from keras import layers
from written_out import BATCH, STEPS, assert_agree, descend, follow, forward, pass_keys

import ganjax
from ganjax import losses

UPDATES, RATE = 3, 0.05  # of D for each of G; of descent


def networks():
    """The example's networks at 8x8 pixels."""
    generator = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(2 * 2 * 6, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.2),
            layers.Reshape((2, 2, 6)),
            layers.UpSampling2D(),
            layers.Conv2D(4, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.2),
            layers.UpSampling2D(),
            layers.Conv2D(1, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 5, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(6, 5, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


# The port.


def train(key, batches):
    gan = ganjax.GAN(
        *networks(),
        loss=losses.wasserstein,
        penalties=(ganjax.WGANGP(10.0),),
        generator_optimizer=optax.sgd(RATE),
        discriminator_optimizer=optax.sgd(RATE),
        update="alternating",
        discriminator_updates=UPDATES,
    )
    state = ganjax.init_state(gan, key)
    step = jax.jit(ganjax.train_step, static_argnums=0)
    for real in batches:
        state, _ = step(gan, state, real)
    return gan, state


# The same by hand.


def by_hand(gan, start, batches):
    G = forward(gan.generator, start.generator.statistics)
    D = forward(gan.discriminator, start.discriminator.statistics)

    def D_loss(d, g, real, drawn):
        G_key, real_key, fake_key = pass_keys(drawn)
        fake = G(g, drawn.latents, G_key)
        u = jax.random.uniform(jax.random.fold_in(drawn.penalty_key, 0), (BATCH, 1, 1, 1))
        u = jnp.broadcast_to(u, real.shape)
        between = fake + u * (real - fake)
        between_key = jax.random.fold_in(jax.random.split(drawn.layer_key, 4)[2], 0)
        slope = jax.grad(lambda x: jnp.sum(D(d, x, between_key)))(between)
        length = jnp.sqrt(jnp.sum(slope**2, axis=(1, 2, 3)))
        cost = jnp.mean(D(d, fake, fake_key)) - jnp.mean(D(d, real, real_key))
        return cost + 10.0 * jnp.mean((length - 1.0) ** 2)

    def step(g, d, real, draws):
        for batch, drawn in zip(jnp.split(real, UPDATES), draws.discriminator, strict=True):
            d = descend(lambda d, batch=batch, drawn=drawn: D_loss(d, g, batch, drawn), d, RATE)
        drawn = draws.generator
        G_key, _, fake_key = pass_keys(drawn)
        return descend(lambda g: -jnp.mean(D(d, G(g, drawn.latents, G_key), fake_key)), g, RATE), d

    return follow(step, gan, start, batches)


def test_three_steps(key, compiled_once):
    batches = jax.random.uniform(jax.random.key(1), (STEPS, UPDATES * BATCH, 8, 8, 1), minval=-1.0)
    gan, state = train(key, batches)
    start = ganjax.init_state(gan, key)
    assert_agree(start, state, *by_hand(gan, start, batches), tolerance=2e-4)
