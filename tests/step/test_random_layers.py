"""Random layers draw anew in every pass: D's updates, G's own, real and fake, penalties, unrolled updates."""

import dataclasses

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import QUICK, make_gan
from keras import layers

import ganjax
from ganjax import losses
from ganjax.draws import draw, layer_keys, loss_keys

WIDTH = 12


class Recorder(layers.Layer):
    """Keeps the zeros of what passes through it, as 0 and 1."""

    masks: list = []  # noqa: RUF012

    def call(self, x):
        jax.debug.callback(lambda zeros: Recorder.masks.append(np.asarray(zeros)), x == 0)
        return x


def constant_latents(key, shape):
    return jnp.ones(shape)


def network(inputs, outputs, recorded):
    parts = [layers.Dropout(0.5), Recorder()] if recorded else []
    return keras.Sequential([keras.Input((inputs,)), *parts, layers.Dense(outputs)])


def masks_of_a_step(gan, step=0):
    """Masks of each pass of a step, in no order."""
    state = ganjax.init_state(gan, jax.random.key(0))
    state = dataclasses.replace(state, step=jnp.int32(step))
    Recorder.masks = []
    step = jax.jit(ganjax.train_step, static_argnums=0)
    jax.block_until_ready(step(gan, state, jnp.ones((2 * gan.discriminator_updates, WIDTH))))
    jax.effects_barrier()
    return {mask.tobytes() for mask in Recorder.masks}


def frozen_gan(generator, discriminator, **options):
    still = optax.set_to_zero()
    return ganjax.GAN(
        generator,
        discriminator,
        latent=constant_latents,
        generator_optimizer=still,
        discriminator_optimizer=still,
        transform=None,
        **options,
    )


@pytest.mark.parametrize(("update", "passes"), [("simultaneous", 5), ("alternating", 6)])
def test_g_draws_for_each_update(update, passes):
    """With constant latents five updates of D see five batches, and G's own update a sixth."""
    gan = frozen_gan(
        network(WIDTH, WIDTH, True), network(WIDTH, 1, False), update=update, discriminator_updates=5
    )
    assert len(masks_of_a_step(gan)) == passes


class TwoCalls:
    """A penalty that calls D twice on the same batch."""

    def __call__(self, discriminator, real, fake, *, key, step):
        return jnp.mean((discriminator(real) - discriminator(real)) ** 2)


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        ({}, 2),  # D(real), D(fake)
        ({"penalties": (TwoCalls(),)}, 4),
        ({"update": "alternating"}, 4),
        ({"update": "alternating", "unrolling": 2}, 8),
    ],
    ids=["simultaneous", "penalty", "alternating", "unrolled"],
)
def test_d_draws_for_each_pass(options, passes):
    gan = frozen_gan(network(WIDTH, WIDTH, False), network(WIDTH, 1, True), **options)
    masks = masks_of_a_step(gan)
    assert len(masks) == passes
    assert not masks & masks_of_a_step(gan, step=1)  # nor are they those of another step
    assert masks == masks_of_a_step(gan)


def test_seeds_in_the_state_stand_still(key):
    """Every draw follows from the run's key and the step, so a resumed run needs no more."""
    gan = make_gan(by_hand.dropped_out)
    state = ganjax.init_state(gan, key)
    step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)
    new, _ = step(gan, state, jnp.ones((4, 2)))
    np.testing.assert_array_equal(new.discriminator.statistics[0], state.discriminator.statistics[0])
    other = dataclasses.replace(
        state, discriminator=dataclasses.replace(state.discriminator, statistics=[jnp.zeros(2, jnp.uint32)])
    )
    same, _ = step(gan, other, jnp.ones((4, 2)))
    for a, b in zip(new.discriminator.params, same.discriminator.params, strict=True):
        np.testing.assert_array_equal(a, b)


def test_networks_without_random_layers_have_no_keys_for_them(key):
    gan = make_gan(by_hand.batch_normalized)
    assert not gan.is_random
    drawn = draw(gan, key, jnp.int32(0), 4).discriminator[0]
    assert drawn.layer_key is None
    assert list(layer_keys(drawn)) == [None] * 5


def test_keys_of_layers_are_no_others(key):
    options = {"update": "alternating", "discriminator_updates": 2, "loss": losses.with_label_noise(0.1)}
    drawn = draw(make_gan(by_hand.dropped_out, **options), key, jnp.int32(0), 4)
    keys = []
    for one in [*drawn.discriminator, drawn.generator]:
        keys += [*one[1:], *layer_keys(one), *loss_keys(one)]
    assert len({jax.random.key_data(k).tobytes() for k in keys}) == 3 * (4 + 5 + 3)


# Samples.


@pytest.fixture(scope="module")
def noisy():
    x = keras.Input((3,))
    h = layers.Dropout(0.5)(layers.Dense(8)(x), training=True)
    generator = keras.Model(x, layers.Dense(2)(layers.GaussianNoise(0.1)(h, training=True)))
    gan = ganjax.GAN(generator, by_hand.sequential.discriminator(), latent=constant_latents)
    return gan, ganjax.init_state(gan, jax.random.key(0))


def test_generate_draws_from_its_key(noisy):
    gan, state = noisy
    one, other = (ganjax.generate(gan, state, jax.random.key(seed), 4) for seed in (1, 2))
    assert np.all(one != other)
    np.testing.assert_array_equal(one, ganjax.generate(gan, state, jax.random.key(1), 4))


def test_decode_draws_from_its_key_or_from_the_state(noisy):
    gan, state = noisy
    z = jnp.ones((4, 3))
    np.testing.assert_array_equal(ganjax.decode(gan, state, z), ganjax.decode(gan, state, z))
    one, other = (ganjax.decode(gan, state, z, key=jax.random.key(seed)) for seed in (1, 2))
    assert np.all(one != other)
