"""Adaptive augmentation: the Keras example "Data-efficient GANs with Adaptive Discriminator Augmentation"
(A. Béres, 2021), after Karras et al. 2020.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
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
    loose_promotion,
    minus_log_sigmoid,
)

import ganjax
from ganjax import augmentations

TARGET, INTEGRATION, DECAY = 0.4, 1, 0.9  # so that three steps alter some pictures


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
class KerasExampleRule:
    """Pictures are altered with a probability that rises where D is right too often."""

    alter: Callable

    def init(self):
        return jnp.zeros(())

    def __call__(self, key, pictures, probability):
        alter_key, choice_key = jax.random.split(key)
        chosen = jax.random.uniform(choice_key, (len(pictures), 1, 1, 1)) < probability
        return jnp.where(chosen, self.alter(alter_key, pictures), pictures)

    def update(self, probability, real_logits):
        accuracy = jnp.mean(0.5 * (1 + jnp.sign(real_logits)))
        return jnp.clip(probability + (accuracy - TARGET) / INTEGRATION, 0, 1)


def augmentation(rule):
    alter = augmentations.from_keras([layers.RandomFlip("horizontal"), layers.RandomTranslation(0.25, 0.25)])
    if rule == "Keras":
        return KerasExampleRule(alter)
    return augmentations.Adaptive(alter, target=TARGET, images=2 * BATCH, interval=1)


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


def altered_by_keras(rule, alter, key, pictures, probability):
    """The Keras layers with seeds from a key, on some of the pictures."""
    if rule == "Keras":
        key, choice_key = jax.random.split(key)
    else:
        choice_key, key = jax.random.split(jax.random.fold_in(key, 0))
    seeds = [v for layer in alter.layers for v in layer.variables]
    drawn = [jax.random.bits(jax.random.fold_in(key, i), (2,), "uint32") for i in range(len(seeds))]
    altered = pictures
    with keras.StatelessScope(list(zip(seeds, drawn, strict=True))), loose_promotion():
        for layer in alter.layers:
            altered = layer(altered, training=True)
    u = jax.random.uniform(choice_key, (BATCH,))
    return jnp.stack([jnp.where(u < probability, *xs) for u, *xs in zip(u, altered, pictures, strict=True)])


def next_probability(rule, probability, real_logits):
    right = jnp.mean((real_logits > 0).astype(jnp.float32))
    if rule == "Keras":
        return jnp.clip(probability + (right - TARGET) / INTEGRATION, 0, 1)
    return jnp.clip(probability + jnp.where(2 * right - 1 > TARGET, 0.5, -0.5), 0, 1)


def by_hand(rule, gan, start, batches):
    G = forward(gan.generator, start.generator.statistics)
    D = forward(gan.discriminator, start.discriminator.statistics)
    alter = augmentation(rule).alter if rule == "Keras" else augmentation(rule).augmentation

    def step(g, d, real, draws, probability, average):
        (drawn,) = draws.discriminator
        real_key, fake_key = (jax.random.fold_in(drawn.augment_key, i) for i in range(2))
        real = altered_by_keras(rule, alter, real_key, real, probability)

        def fake(g):
            return altered_by_keras(rule, alter, fake_key, G(g, drawn.latents), probability)

        def D_loss(d):
            return (minus_log_sigmoid(D(d, real)) + minus_log_sigmoid(-D(d, fake(g)))) / 2

        next_one = next_probability(rule, probability, D(d, real))
        d, g = descend(D_loss, d), descend(lambda g: minus_log_sigmoid(D(d, fake(g))), g)
        average = [DECAY * a + (1 - DECAY) * w for a, w in zip(average, g, strict=True)]
        return g, d, next_one, average

    return follow(step, gan, start, batches, jnp.zeros(()), start.generator.params)


@pytest.mark.parametrize("rule", ["Keras", "Karras"])
def test_three_steps(rule, compiled_once):
    key = jax.random.key(7)  # weights with which D is soon surer than TARGET, so that pictures are altered
    batches = jax.random.uniform(jax.random.key(1), (STEPS, BATCH, 8, 8, 3))
    gan, state = train(key, batches, augmentation(rule))
    start = ganjax.init_state(gan, key)
    G, D, probability, average = by_hand(rule, gan, start, batches)
    assert_agree(start, state, G, D)
    assert distance(state.ema.params, average) < 1e-6
    reached = state.augment if rule == "Keras" else state.augment.p
    np.testing.assert_allclose(reached, probability, rtol=1e-6)
    assert probability > 0
