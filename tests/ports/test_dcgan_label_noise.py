"""DCGAN with noise on the labels: the Keras example "DCGAN to generate face images" (F. Chollet, 2019)."""

import jax
import jax.numpy as jnp
import keras
import optax
from keras import layers
from written_out import BATCH, STEPS, assert_agree, descend, follow, forward, pass_keys

import ganjax

RATE = 1.0


def networks():
    """The example's networks at 8x8 pixels."""
    generator = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(2 * 2 * 4),
            layers.Reshape((2, 2, 4)),
            layers.Conv2DTranspose(4, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Conv2DTranspose(6, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(3, 5, padding="same", activation="sigmoid"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(6, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(1),  # a logit: the sigmoid is part of the loss
        ]
    )
    return generator, discriminator


# The port.


def cross_entropy(logits, labels):
    return optax.sigmoid_binary_cross_entropy(logits, labels).mean()


def noisy_discriminator_loss(real_logits, fake_logits, *, key):
    """Labels 1 for real and 0 for generated, each less up to 0.05. (The example's labels are the other way
    round, and each more by as much.)
    """
    real_key, fake_key = jax.random.split(key)
    real_labels = 1 - 0.05 * jax.random.uniform(real_key, real_logits.shape)
    fake_labels = -0.05 * jax.random.uniform(fake_key, fake_logits.shape)
    return (cross_entropy(real_logits, real_labels) + cross_entropy(fake_logits, fake_labels)) / 2


def train(key, batches):
    gan = ganjax.GAN(
        *networks(),
        loss=ganjax.Loss(noisy_discriminator_loss, ganjax.generator_loss),
        generator_optimizer=optax.sgd(RATE),
        discriminator_optimizer=optax.sgd(RATE),
        update="alternating",
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

    def cross_entropy(logits, label):
        p = 1 / (1 + jnp.exp(-logits))
        return -jnp.mean(label * jnp.log(p) + (1 - label) * jnp.log(1 - p))

    def step(g, d, real, draws):
        (drawn,) = draws.discriminator
        G_key, real_key, fake_key = pass_keys(drawn)
        fake = G(g, drawn.latents, G_key)
        noise = [
            0.05 * jax.random.uniform(key, (BATCH, 1))
            for key in jax.random.split(jax.random.split(drawn.loss_key, 3)[0])
        ]

        def D_loss(d):
            of_real = cross_entropy(D(d, real, real_key), 1 - noise[0])
            return (of_real + cross_entropy(D(d, fake, fake_key), -noise[1])) / 2

        d = descend(D_loss, d, RATE)
        drawn = draws.generator
        G_key, _, fake_key = pass_keys(drawn)
        return descend(lambda g: cross_entropy(D(d, G(g, drawn.latents, G_key), fake_key), 1.0), g, RATE), d

    return follow(step, gan, start, batches)


def test_three_steps(key, compiled_once):
    batches = jax.random.uniform(jax.random.key(1), (STEPS, BATCH, 8, 8, 3))
    gan, state = train(key, batches)
    start = ganjax.init_state(gan, key)
    assert_agree(start, state, *by_hand(gan, start, batches))
