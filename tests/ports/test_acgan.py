"""ACGAN: Odena et al. 2017: D also names the class, of real and of generated pictures."""

import jax
import jax.numpy as jnp
import keras
import optax
from keras import layers
from written_out import BATCH, RATE, STEPS, assert_agree, descend, follow, forward, minus_log_sigmoid

import ganjax

CLASSES = 3


def networks():
    """Networks in the manner of the paper's, at 8x8 pixels."""
    latent, label = keras.Input((6,)), keras.Input((), dtype="int32")
    x = layers.Multiply()([latent, layers.Embedding(CLASSES, 6)(label)])
    x = layers.Reshape((2, 2, 6))(layers.ReLU()(layers.Dense(2 * 2 * 6)(x)))
    x = layers.ReLU()(layers.Conv2DTranspose(4, 4, 2, "same")(x))
    x = layers.Conv2DTranspose(1, 4, 2, "same", activation="tanh")(x)
    generator = keras.Model([latent, label], x)

    picture = keras.Input((8, 8, 1))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(4, 3, 2, "same")(picture))
    x = layers.Flatten()(layers.LeakyReLU(0.2)(layers.Conv2D(6, 3, 2, "same")(x)))
    outputs = {"logits": layers.Dense(1)(x), "classes": layers.Dense(CLASSES)(x)}
    return generator, keras.Model(picture, outputs)


# The port.


def class_loss(scores, classes):
    return optax.softmax_cross_entropy_with_integer_labels(scores, classes).mean()


def discriminator_loss(real_logits, fake_logits, *, labels, real_outputs, fake_outputs):
    of_real, of_fake = (class_loss(each["classes"], labels) for each in (real_outputs, fake_outputs))
    right = jnp.mean(jnp.argmax(real_outputs["classes"], axis=-1) == labels, dtype=jnp.float32)
    source = ganjax.discriminator_loss(real_logits, fake_logits)
    return source + of_real + of_fake, {"class_accuracy": right}


def generator_loss(fake_logits, real_logits, *, labels, fake_outputs):
    return ganjax.generator_loss(fake_logits) + class_loss(fake_outputs["classes"], labels)


def train(key, batches):
    gan = ganjax.GAN(
        *networks(),
        loss=ganjax.Loss(discriminator_loss, generator_loss),
        generator_optimizer=optax.sgd(RATE),
        discriminator_optimizer=optax.sgd(RATE),
        update="alternating",
    )
    state = ganjax.init_state(gan, key)
    step = jax.jit(ganjax.train_step, static_argnums=0)
    for pictures, classes in batches:
        state, metrics = step(gan, state, ganjax.Labelled(pictures, classes))
    return gan, state, metrics


# The same by hand.


def by_hand(gan, start, batches):
    G = forward(gan.generator, start.generator.statistics)
    D = forward(gan.discriminator, start.discriminator.statistics)

    def wrong(scores, classes):
        odds = jnp.exp(scores)
        chosen = jnp.sum(odds * jax.nn.one_hot(classes, CLASSES), axis=1)
        return -jnp.mean(jnp.log(chosen / jnp.sum(odds, axis=1)))

    def step(g, d, real, draws):
        pictures, classes = real
        fake = G(g, [draws.discriminator[0].latents, classes])

        def D_loss(d):
            of_real, of_fake = D(d, pictures), D(d, fake)
            source = (minus_log_sigmoid(of_real["logits"]) + minus_log_sigmoid(-of_fake["logits"])) / 2
            return source + wrong(of_real["classes"], classes) + wrong(of_fake["classes"], classes)

        def G_loss(g):
            of_fake = D(d, G(g, [draws.generator.latents, classes]))
            return minus_log_sigmoid(of_fake["logits"]) + wrong(of_fake["classes"], classes)

        d = descend(D_loss, d)
        return descend(G_loss, g), d

    return follow(step, gan, start, batches)


def test_three_steps(key, compiled_once):
    pictures = jax.random.uniform(jax.random.key(1), (STEPS, BATCH, 8, 8, 1), minval=-1.0)
    classes = jax.random.randint(jax.random.key(2), (STEPS, BATCH), 0, CLASSES)
    batches = list(zip(pictures, classes, strict=True))
    gan, state, metrics = train(key, batches)
    start = ganjax.init_state(gan, key)
    assert_agree(start, state, *by_hand(gan, start, batches))
    assert 0 <= metrics["class_accuracy"] <= 1
