"""StyleGAN: styles of two latents mixed, noise for every layer (Karras et al. 2019, sections 2 and 3), and
path length regularization (Karras et al. 2020, section 3.2), with derivatives by z.
"""

import jax
import jax.numpy as jnp
import keras
import optax
from keras import layers, ops
from written_out import BATCH, RATE, STEPS, assert_agree, descend, follow, forward, minus_log_sigmoid

import ganjax
from ganjax import latents


class Constant(layers.Layer):
    """The learned 4x4 picture that every sample starts from."""

    def build(self, shape):
        self.picture = self.add_weight(shape=(1, 4, 4, 4), initializer="random_normal")

    def call(self, x):
        return ops.broadcast_to(self.picture, (ops.shape(x)[0], 4, 4, 4))


class Noise(layers.Layer):
    """Noise times a learned strength for each channel, added to pictures."""

    def build(self, shapes):
        self.strength = self.add_weight(shape=(1, 1, 1, shapes[0][-1]), initializer="zeros")

    def call(self, inputs):
        pictures, noise = inputs
        return pictures + self.strength * noise


def networks():
    """The paper's generator from 4x4 to 8x8 pixels, and a small discriminator."""
    z, mix = keras.Input((2, 6), name="z"), keras.Input((1,), name="mix")
    noise_4, noise_8 = keras.Input((4, 4, 1), name="noise_4"), keras.Input((8, 8, 1), name="noise_8")
    w = layers.LayerNormalization(center=False, scale=False)(z)
    for _ in range(2):
        w = layers.LeakyReLU(0.2)(layers.Dense(6)(w))

    def styled(x, noise, place):
        x = layers.LeakyReLU(0.2)(Noise()([x, noise]))
        x = layers.GroupNormalization(-1, center=False, scale=False)(x)
        style = layers.Dense(8)(ops.where(place < mix, w[:, 0], w[:, 1]))
        scale, shift = ops.split(layers.Reshape((1, 1, 8))(style), 2, axis=-1)
        return (1 + scale) * x + shift

    x = styled(Constant()(mix), noise_4, 0)
    x = styled(layers.Conv2D(4, 3, padding="same")(layers.UpSampling2D()(x)), noise_8, 1)
    inputs = {"z": z, "mix": mix, "noise_4": noise_4, "noise_8": noise_8}
    generator = keras.Model(inputs, layers.Conv2D(1, 1)(x))

    picture = keras.Input((8, 8, 1))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(4, 3, padding="same")(picture))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(4, 3, padding="same")(layers.AveragePooling2D(2)(x)))
    return generator, keras.Model(picture, layers.Dense(1)(layers.Flatten()(x)))


# The port.


def crossover(key, shape):
    """The layer from which on the second latent gives the style: 1, or 2, which is none."""
    return jax.random.randint(key, shape, 1, 3).astype(jnp.float32)


def discriminator_loss(real_logits, fake_logits):
    return 2 * ganjax.discriminator_loss(real_logits, fake_logits)  # the sum, not the mean, of its halves


def path_length(generator, latents, *, key, step):
    def projection(z):
        pictures = generator(latents | {"z": z})
        return jnp.sum(pictures * jax.random.normal(key, pictures.shape)) / 8  # square root of the pixels

    lengths = jnp.sqrt(jnp.sum(jax.grad(projection)(latents["z"]) ** 2, axis=(1, 2)))
    return 2 * jnp.mean((lengths - jax.lax.stop_gradient(jnp.mean(lengths))) ** 2)


def train(key, batches):
    normal = ganjax.Normal()
    gan = ganjax.GAN(
        *networks(),
        latent=latents.by_name(z=normal, mix=crossover, noise_4=normal, noise_8=normal),
        loss=ganjax.Loss(discriminator_loss, ganjax.generator_loss),
        penalties=(ganjax.R1(10.0),),
        generator_penalties=(path_length,),
        generator_optimizer=optax.sgd(RATE / 20),
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

    def step(g, d, real, draws):
        fake = G(g, draws.discriminator[0].latents)

        def D_loss(d):
            slope = jax.grad(lambda x: jnp.sum(D(d, x)))(real)
            logistic = minus_log_sigmoid(D(d, real)) + minus_log_sigmoid(-D(d, fake))
            return logistic + 5 * jnp.mean(jnp.sum(slope**2, axis=(1, 2, 3)))

        drawn = draws.generator
        key = jax.random.fold_in(jax.random.split(drawn.loss_key, 3)[2], 0)
        y = jax.random.normal(key, real.shape)

        def G_loss(g):
            made, pull = jax.vjp(lambda z: G(g, {**drawn.latents, "z": z}), drawn.latents["z"])
            (slope,) = pull(y / 8)
            lengths = jnp.stack([jnp.sqrt(jnp.sum(each**2)) for each in slope])
            variance = jnp.mean((lengths - jax.lax.stop_gradient(jnp.mean(lengths))) ** 2)
            return minus_log_sigmoid(D(d, made)) + 2 * variance

        d = descend(D_loss, d)
        return descend(G_loss, g, RATE / 20), d

    return follow(step, gan, start, batches)


def test_three_steps(key, compiled_once):
    batches = jax.random.uniform(jax.random.key(1), (STEPS, BATCH, 8, 8, 1), minval=-1.0)
    gan, state = train(key, batches)
    start = ganjax.init_state(gan, key)
    assert_agree(start, state, *by_hand(gan, start, batches))
