"""Packing: D sees several samples as one, everywhere."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import QUICK
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

import ganjax
from ganjax.draws import draw
from ganjax.sampling import pack

SGD = optax.sgd(1.0)
step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)


@given(
    packs=st.integers(1, 4),
    size=st.integers(1, 4),
    axes=st.lists(st.integers(1, 3), max_size=2),
    channels=st.integers(1, 3),
)
def test_a_pack_is_its_samples_side_by_side(packs, size, axes, channels):
    shape = (packs * size, *axes, channels)
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    expected = [np.concatenate(list(x[size * i : size * (i + 1)]), axis=-1) for i in range(packs)]
    np.testing.assert_array_equal(pack(jnp.asarray(x), size), np.stack(expected))


def test_packs_of_one_change_nothing():
    x = jnp.ones((3, 2))
    assert pack(x, 1) is x


def pair(size=2):
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2 * size,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    return generator, discriminator


def make_gan(size=2, **settings):
    optimizers = {"generator_optimizer": SGD, "discriminator_optimizer": SGD}
    return ganjax.GAN(*pair(size), packing=size, ema_decay=0.0, **optimizers | settings)


def G(params, z):
    return z @ params[0] + params[1][None]


def D(params, x):
    return jnp.tanh(x @ params[0] + params[1][None]) @ params[2] + params[3][None]


def in_threes(x):
    return jnp.concatenate([x[0::3], x[1::3], x[2::3]], axis=1)


def stretched(key, x):
    assert x.shape[-1] == 2, "samples are altered before they are packed"
    return x * jnp.asarray([[1.0, 2.0]])


def test_a_step_is_that_of_a_gan_on_packs_written_out(key):
    """Gradients of loss and penalties, read from states after one step of SGD at rate 1."""
    gan = make_gan(3, augment=stretched, penalties=(ganjax.R1(0.3), ganjax.R2(0.2)))
    state = ganjax.init_state(gan, key)
    real = 1 + jax.random.normal(key, (12, 2))
    after, metrics = step(gan, state, real)
    (drawn,) = draw(gan, state.key, state.step, 12).discriminator
    packs = in_threes(stretched(key, real))

    def made(params):
        return in_threes(stretched(key, G(params, drawn.latents)))

    def squared_slope(params, x):
        return jnp.mean(jnp.sum(jax.grad(lambda x: jnp.sum(D(params, x)))(x) ** 2, axis=1))

    def D_loss(params):
        fake = made(state.generator.params)
        loss = ganjax.discriminator_loss(D(params, packs), D(params, fake))
        return loss + 0.15 * squared_slope(params, packs) + 0.1 * squared_slope(params, fake)

    def G_loss(params):
        return ganjax.generator_loss(D(state.discriminator.params, made(params)))

    assert float(metrics["generator_loss"]) == pytest.approx(float(G_loss(state.generator.params)), rel=1e-5)
    for name, loss in (("generator", G_loss), ("discriminator", D_loss)):
        before = getattr(state, name).params
        expected = jax.tree.map(jnp.subtract, before, jax.grad(loss)(before))
        for a, b in zip(getattr(after, name).params, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_every_kind_of_step_takes_packs(key, update):
    gan = make_gan(2, update=update, discriminator_updates=2, penalties=(ganjax.WGANGP(1.0),))
    state = ganjax.init_state(gan, key)
    after, _ = jax.eval_shape(
        lambda state, real: ganjax.train_step(gan, state, real), state, jnp.ones((8, 2))
    )
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)


def test_shapes_are_those_of_one_sample(key):
    gan = make_gan(4)
    assert gan.sample_shape == (2,)
    state = ganjax.init_state(gan, key)
    assert ganjax.generate(gan, state, key, 5).shape == (5, 2)


def test_packs_of_images_are_joined_along_channels():
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(16), layers.Reshape((4, 4, 1))])
    discriminator = keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2D(1, 4)])
    gan = ganjax.GAN(generator, discriminator, packing=2)
    assert gan.sample_shape == (4, 4, 1)
    state = jax.eval_shape(lambda key: ganjax.init_state(gan, key), jax.random.key(0))
    logits = jax.eval_shape(
        lambda state, x: ganjax.discriminate(gan, state, x), state, jnp.ones((6, 4, 4, 1))
    )
    assert logits.shape == (3, 1, 1, 1)


def test_discriminate_packs_neighbours(key):
    gan = make_gan(2)
    state = ganjax.init_state(gan, key)
    x = jax.random.normal(key, (6, 2))
    expected = D(state.discriminator.params, jnp.concatenate([x[::2], x[1::2]], axis=1))
    np.testing.assert_allclose(ganjax.discriminate(gan, state, x), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"^5 samples cannot be put into packs of 2: give a multiple of 2$"):
        ganjax.discriminate(gan, state, x[:5])


@pytest.mark.parametrize(("batch", "updates"), [(5, 1), (6, 2), (2, 2)])
def test_a_batch_of_incomplete_packs_is_refused(key, batch, updates):
    gan = make_gan(2, discriminator_updates=updates)
    state = ganjax.init_state(gan, key)
    with pytest.raises(ValueError, match="samples cannot be put into packs of 2") as error:
        ganjax.train_step(gan, state, jnp.ones((batch, 2)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("packing", [0, -1, 1.0, "2", None])
def test_packing_counts_samples(packing):
    with pytest.raises(ValueError, match="packing must be a whole number of at least 1, got "):
        ganjax.GAN(*pair(1), packing=packing)


def test_a_discriminator_of_another_size_is_refused():
    message = r"samples of shape \(2,\), \(6,\) in packs of 3, but the discriminator takes \(4,\)"
    with pytest.raises(ValueError, match=message):
        ganjax.GAN(*pair(2), packing=3)
    with pytest.raises(ValueError, match=r"samples of shape \(2,\), but the discriminator takes \(4,\)"):
        ganjax.GAN(*pair(2))


def test_labels_cannot_be_packed():
    def with_label(inputs, outputs):
        x, label = keras.Input((inputs,)), keras.Input((1,))
        return keras.Model([x, label], layers.Dense(outputs)(layers.Concatenate()([x, label])))

    with pytest.raises(ValueError, match=r"^a GAN with labels cannot pack samples"):
        ganjax.GAN(with_label(3, 2), with_label(4, 1), packing=2)
