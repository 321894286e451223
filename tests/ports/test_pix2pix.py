"""pix2pix: Isola et al. 2017: a U-Net with dropout, logits of patches, cross-entropy and 100 times L1."""

import jax
import jax.numpy as jnp
import keras
import optax
from keras import layers
from written_out import (
    BATCH,
    RATE,
    STEPS,
    assert_agree,
    descend,
    follow,
    forward,
    minus_log_sigmoid,
    pass_keys,
)

import ganjax
from ganjax import losses


def networks():
    """The paper's networks at 8x8 pixels."""
    condition = keras.Input((8, 8, 1))
    half = layers.LeakyReLU(0.2)(layers.Conv2D(4, 4, 2, "same")(condition))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(6, 4, 2, "same", use_bias=False)(half)))
    x = layers.BatchNormalization()(layers.Conv2DTranspose(4, 4, 2, "same", use_bias=False)(x))
    x = layers.Concatenate()([layers.ReLU()(layers.Dropout(0.5)(x)), half])
    generator = keras.Model(condition, layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh")(x))

    picture, condition = keras.Input((8, 8, 3)), keras.Input((8, 8, 1))
    x = layers.Concatenate()([picture, condition])
    x = layers.LeakyReLU(0.2)(layers.Conv2D(4, 4, 2, "same")(x))
    x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(layers.Conv2D(6, 4, 2, "same", use_bias=False)(x)))
    return generator, keras.Model([picture, condition], layers.Conv2D(1, 4, padding="same")(x))


# The port.


def train(key, batches):
    gan = ganjax.GAN(
        *networks(),
        latent=None,
        loss=losses.combine({losses.binary_cross_entropy: 1, losses.l1: 100}),
        generator_optimizer=optax.sgd(RATE / 20),
        discriminator_optimizer=optax.sgd(RATE),
    )
    state = ganjax.init_state(gan, key)
    step = jax.jit(ganjax.train_step, static_argnums=0)
    for pictures, conditions in batches:
        state, _ = step(gan, state, ganjax.Labelled(pictures, conditions))
    return gan, state


# The same by hand.


def by_hand(gan, start, batches):
    G = forward(gan.generator, start.generator.statistics)
    D = forward(gan.discriminator, start.discriminator.statistics)

    def step(g, d, real, draws):
        pictures, conditions = real
        G_key, *_ = pass_keys(draws.discriminator[0])

        def D_loss(d):
            of_real = minus_log_sigmoid(D(d, [pictures, conditions]))
            return (of_real + minus_log_sigmoid(-D(d, [G(g, conditions, G_key), conditions]))) / 2

        def G_loss(g):
            made = G(g, conditions, G_key)
            return minus_log_sigmoid(D(d, [made, conditions])) + 100 * jnp.mean(jnp.abs(made - pictures))

        return descend(G_loss, g, RATE / 20), descend(D_loss, d)

    return follow(step, gan, start, batches)


def test_three_steps(key, compiled_once):
    pictures = jax.random.uniform(jax.random.key(1), (STEPS, BATCH, 8, 8, 3), minval=-1.0)
    conditions = jnp.mean(pictures, axis=-1, keepdims=True)
    batches = list(zip(pictures, conditions, strict=True))
    gan, state = train(key, batches)
    start = ganjax.init_state(gan, key)
    assert_agree(start, state, *by_hand(gan, start, batches))
