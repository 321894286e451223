"""CycleGAN: Zhu et al. 2017, with the networks of the Keras example "CycleGAN" (A. Nain, 2020)."""

import jax
import jax.numpy as jnp
import keras
import optax
from keras import layers
from written_out import BATCH, STEPS, assert_agree, descend, follow, forward

import ganjax

RATE = 0.02


def translator():
    """The example's generator at 8x8 pixels: down once, one residual block, up once."""
    picture = keras.Input((8, 8, 1))
    x = normalized(layers.Conv2D(4, 3, 2, "same", use_bias=False)(picture))
    x = layers.Add()([x, normalized(layers.Conv2D(4, 3, padding="same", use_bias=False)(x))])
    x = normalized(layers.Conv2DTranspose(4, 3, 2, "same", use_bias=False)(x))
    return keras.Model(picture, layers.Conv2D(1, 7, padding="same", activation="tanh")(x))


def judge():
    """The example's discriminator at 8x8 pixels: logits of 2x2 patches."""
    picture = keras.Input((8, 8, 1))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(4, 4, 2, "same")(picture))
    x = layers.LeakyReLU(0.2)(
        layers.GroupNormalization(-1)(layers.Conv2D(4, 4, 2, "same", use_bias=False)(x))
    )
    return keras.Model(picture, layers.Conv2D(1, 4, padding="same")(x))


def normalized(x):
    return layers.ReLU()(layers.GroupNormalization(-1)(x))


# The port.


def models(to_a, to_b, judge_a, judge_b):
    """The four networks as one generator and one discriminator."""
    a, b = (keras.Input((8, 8, 1), name=name) for name in ("a", "b"))
    fake = {"a": to_a(b), "b": to_b(a)}
    others = {
        "cycle": {"a": to_a(fake["b"]), "b": to_b(fake["a"])},
        "identity": {"a": to_a(a), "b": to_b(b)},
    }
    logits = layers.Concatenate()([judge_a(a), judge_b(b)])
    return keras.Model({"a": a, "b": b}, fake | others), keras.Model({"a": a, "b": b}, logits)


def discriminator_loss(real_logits, fake_logits):
    return jnp.mean((real_logits - 1) ** 2) + jnp.mean(fake_logits**2)  # half, for each of two domains


def generator_loss(fake_logits, real_logits, *, labels, generator_outputs):
    def distance(made):
        return sum(jnp.mean(jnp.abs(made[domain] - labels[domain])) for domain in ("a", "b"))

    cycle, identity = distance(generator_outputs["cycle"]), distance(generator_outputs["identity"])
    adversarial = 2 * jnp.mean((fake_logits - 1) ** 2)
    return adversarial + 10 * cycle + 5 * identity, {"cycle": cycle, "identity": identity}


def train(key, four, batches):
    gan = ganjax.GAN(
        *models(*four),
        latent=None,
        loss=ganjax.Loss(discriminator_loss, generator_loss),
        generator_optimizer=optax.sgd(RATE),
        discriminator_optimizer=optax.sgd(RATE),
    )
    state = ganjax.init_state(gan, key)
    step = jax.jit(ganjax.train_step, static_argnums=0)
    for pictures in batches:
        state, metrics = step(gan, state, ganjax.Labelled(samples=pictures, labels=pictures))
    return gan, state, metrics


# The same by hand: four networks.


def by_hand(gan, four, start, batches):
    to_a, to_b, judge_a, judge_b = (forward(model, []) for model in four)

    def weights_of(composite, params, model):
        by_variable = dict(zip(map(id, composite.trainable_variables), params, strict=True))
        return [by_variable[id(v)] for v in model.trainable_variables]

    def mean_square(x):
        return jnp.mean(x**2)

    def step(g, d, real, draws):
        a, b = real.values()

        def translated(g):
            g_a, g_b = (weights_of(gan.generator, g, model) for model in four[:2])
            fake_a, fake_b = to_a(g_a, b), to_b(g_b, a)
            cycle = jnp.mean(jnp.abs(to_a(g_a, fake_b) - a)) + jnp.mean(jnp.abs(to_b(g_b, fake_a) - b))
            identity = jnp.mean(jnp.abs(to_a(g_a, a) - a)) + jnp.mean(jnp.abs(to_b(g_b, b) - b))
            return fake_a, fake_b, 10 * cycle + 5 * identity

        def G_loss(g):
            fake_a, fake_b, others = translated(g)
            d_a, d_b = (weights_of(gan.discriminator, d, model) for model in four[2:])
            return mean_square(judge_a(d_a, fake_a) - 1) + mean_square(judge_b(d_b, fake_b) - 1) + others

        def D_loss(d):
            fake_a, fake_b, _ = translated(g)
            d_a, d_b = (weights_of(gan.discriminator, d, model) for model in four[2:])
            of_a = (mean_square(judge_a(d_a, a) - 1) + mean_square(judge_a(d_a, fake_a))) / 2
            return of_a + (mean_square(judge_b(d_b, b) - 1) + mean_square(judge_b(d_b, fake_b))) / 2

        return descend(G_loss, g, RATE), descend(D_loss, d, RATE)

    return follow(step, gan, start, batches)


def test_three_steps(key, compiled_once):
    pictures = jax.random.uniform(jax.random.key(1), (2, STEPS, BATCH, 8, 8, 1), minval=-1.0)
    batches = [{"a": a, "b": b} for a, b in zip(*pictures, strict=True)]
    four = translator(), translator(), judge(), judge()
    gan, state, metrics = train(key, four, batches)
    start = ganjax.init_state(gan, key)
    assert_agree(start, state, *by_hand(gan, four, start, batches))
    assert metrics["cycle"] > 0
