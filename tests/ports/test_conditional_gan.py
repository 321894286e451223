"""Conditional GAN: the Keras example "Conditional GAN" (S. Paul, 2021), after Mirza and Osindero 2014.

Classes are one-hot there. Here they are that, and also integers for an `Embedding`.
"""

import jax
import keras
import optax
import pytest
from keras import layers
from written_out import BATCH, STEPS, assert_agree, descend, follow, forward, minus_log_sigmoid

import ganjax

CLASSES, RATE = 3, 1.0


def one_hot_networks():
    """The example's networks at 8x8 pixels; D makes the planes of class itself."""
    latent, label = keras.Input((6,)), keras.Input((CLASSES,))
    x = layers.Dense(2 * 2 * 6)(layers.Concatenate()([latent, label]))
    generator = keras.Model([latent, label], made_from(x))
    picture, label = keras.Input((8, 8, 1)), keras.Input((CLASSES,))
    planes = layers.Reshape((8, 8, CLASSES))(layers.RepeatVector(64)(label))
    return generator, keras.Model([picture, label], logit_of(picture, planes))


def embedding_networks():
    """The same networks, which look their vectors of class up."""
    latent, label = keras.Input((6,)), keras.Input((), dtype="int32")
    x = layers.Dense(2 * 2 * 6)(layers.Concatenate()([latent, layers.Embedding(CLASSES, 4)(label)]))
    generator = keras.Model([latent, label], made_from(x))
    picture, label = keras.Input((8, 8, 1)), keras.Input((), dtype="int32")
    plane = layers.Reshape((8, 8, 1))(layers.Embedding(CLASSES, 64)(label))
    return generator, keras.Model([picture, label], logit_of(picture, plane))


def made_from(x):
    x = layers.Reshape((2, 2, 6))(layers.LeakyReLU(0.2)(x))
    x = layers.LeakyReLU(0.2)(layers.Conv2DTranspose(4, 4, 2, "same")(x))
    x = layers.LeakyReLU(0.2)(layers.Conv2DTranspose(4, 4, 2, "same")(x))
    return layers.Conv2D(1, 7, padding="same", activation="sigmoid")(x)


def logit_of(picture, planes):
    x = layers.Concatenate()([picture, planes])
    x = layers.LeakyReLU(0.2)(layers.Conv2D(4, 3, 2, "same")(x))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(6, 3, 2, "same")(x))
    return layers.Dense(1)(layers.GlobalMaxPooling2D()(x))


# The port.


def train(key, networks, batches):
    gan = ganjax.GAN(
        *networks(),
        generator_optimizer=optax.sgd(RATE),
        discriminator_optimizer=optax.sgd(RATE),
        update="alternating",
    )
    state = ganjax.init_state(gan, key)
    step = jax.jit(ganjax.train_step, static_argnums=0)
    for pictures, classes in batches:
        state, _ = step(gan, state, ganjax.Labelled(pictures, classes))
    return gan, state


# The same by hand.


def by_hand(gan, start, batches):
    G = forward(gan.generator, start.generator.statistics)
    D = forward(gan.discriminator, start.discriminator.statistics)

    def step(g, d, real, draws):
        pictures, classes = real
        fake = G(g, [draws.discriminator[0].latents, classes])

        def D_loss(d):
            of_real = minus_log_sigmoid(D(d, [pictures, classes]))
            return (of_real + minus_log_sigmoid(-D(d, [fake, classes]))) / 2

        d = descend(D_loss, d, RATE)
        latents = draws.generator.latents
        return descend(lambda g: minus_log_sigmoid(D(d, [G(g, [latents, classes]), classes])), g, RATE), d

    return follow(step, gan, start, batches)


@pytest.mark.parametrize("kind", ["one-hot", "integers"])
def test_three_steps(kind, key, compiled_once):
    pictures = jax.random.uniform(jax.random.key(1), (STEPS, BATCH, 8, 8, 1))
    classes = jax.random.randint(jax.random.key(2), (STEPS, BATCH), 0, CLASSES)
    one_hot = kind == "one-hot"
    batches = list(zip(pictures, jax.nn.one_hot(classes, CLASSES) if one_hot else classes, strict=True))
    gan, state = train(key, one_hot_networks if one_hot else embedding_networks, batches)
    start = ganjax.init_state(gan, key)
    assert_agree(start, state, *by_hand(gan, start, batches))
