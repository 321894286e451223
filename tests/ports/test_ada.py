"""Adaptive augmentation: the Keras example "Data-efficient GANs with Adaptive Discriminator Augmentation"
(A. Béres, 2021), after Karras et al. 2020.
"""

import dataclasses

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
from keras import layers
from written_out import (
    BATCH,
    RATE,
    STEPS,
    assert_agree,
    descend,
    distance,
    follow,
    forward,
    minus_log_sigmoid,
)

import ganjax

TARGET, INTEGRATION, DECAY = 0.4, 1, 0.9  # small, so that three steps alter some pictures


def networks():
    """The example's networks at 8x8 pixels."""
    generator = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(2 * 2 * 6, use_bias=False),
            layers.BatchNormalization(scale=False),
            layers.ReLU(),
            layers.Reshape((2, 2, 6)),
            layers.Conv2DTranspose(4, 4, 2, "same", use_bias=False),
            layers.BatchNormalization(scale=False),
            layers.ReLU(),
            layers.Conv2DTranspose(3, 4, 2, "same", activation="sigmoid"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 4, 2, "same", use_bias=False),
            layers.BatchNormalization(scale=False),
            layers.LeakyReLU(0.2),
            layers.Conv2D(6, 4, 2, "same", use_bias=False),
            layers.BatchNormalization(scale=False),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


# The port.


@dataclasses.dataclass(frozen=True)
class AdaptiveAugmentation:
    """The example's rule: a picture is altered with a probability that rises where D is too sure."""

    def init(self):
        return jnp.zeros(())

    def __call__(self, key, pictures, probability):
        light_key, choose_key = jax.random.split(key)
        light = jax.random.uniform(light_key, (len(pictures), 1, 1, 1), minval=-0.5, maxval=0.5)
        altered = pictures[:, :, ::-1] + light
        chosen = jax.random.uniform(choose_key, (len(pictures), 1, 1, 1)) < probability
        return jnp.where(chosen, altered, pictures)

    def update(self, probability, real_logits):
        accuracy = jnp.mean(0.5 * (1 + jnp.sign(real_logits)))
        return jnp.clip(probability + (accuracy - TARGET) / INTEGRATION, 0, 1)


def train(key, batches, augment):
    gan = ganjax.GAN(
        *networks(),
        generator_optimizer=optax.sgd(RATE),
        discriminator_optimizer=optax.sgd(RATE),
        augment=augment,
        ema_decay=DECAY,
        ema_warmup=False,
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

    def altered(pictures, key, probability):
        light_key, choose_key = jax.random.split(key)
        light = jax.random.uniform(light_key, (BATCH, 1, 1, 1), minval=-0.5, maxval=0.5)
        u = jax.random.uniform(choose_key, (BATCH, 1, 1, 1))
        one_by_one = zip(pictures, light.ravel(), u.ravel(), strict=True)
        return jnp.stack([jnp.where(u < probability, x[:, ::-1] + light, x) for x, light, u in one_by_one])

    def step(g, d, real, draws, probability, average):
        (drawn,) = draws.discriminator
        real_key, fake_key = (jax.random.fold_in(drawn.augment_key, i) for i in range(2))
        real = altered(real, real_key, probability)

        def fake(g):
            return altered(G(g, drawn.latents), fake_key, probability)

        def D_loss(d):
            return (minus_log_sigmoid(D(d, real)) + minus_log_sigmoid(-D(d, fake(g)))) / 2

        right = jnp.mean((D(d, real) > 0).astype(jnp.float32))
        d, g = descend(D_loss, d), descend(lambda g: minus_log_sigmoid(D(d, fake(g))), g)
        average = [DECAY * a + (1 - DECAY) * w for a, w in zip(average, g, strict=True)]
        return g, d, jnp.clip(probability + (right - TARGET) / INTEGRATION, 0, 1), average

    return follow(step, gan, start, batches, jnp.zeros(()), start.generator.params)


def test_three_steps(compiled_once):
    key = jax.random.key(7)  # weights with which D is soon surer than TARGET, so that pictures are altered
    batches = jax.random.uniform(jax.random.key(1), (STEPS, BATCH, 8, 8, 3))
    gan, state = train(key, batches, AdaptiveAugmentation())
    start = ganjax.init_state(gan, key)
    G, D, probability, average = by_hand(gan, start, batches)
    assert_agree(start, state, G, D)
    assert distance(state.ema.params, average) < 1e-6
    np.testing.assert_allclose(state.augment, probability, rtol=1e-6)
    assert probability > 0
