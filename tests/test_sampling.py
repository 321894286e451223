"""Latents, samples and logits of a state, against the networks written out by hand at inference."""

import by_hand
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import BATCH, QUICK, make_gan

import ganjax

close = np.testing.assert_allclose


@pytest.fixture(scope="module")
def gan():
    """G with batch normalisation, D with spectral normalisation and dropout."""
    spectral = by_hand.chain(
        (2,), by_hand.spectral(5, "relu"), lambda: by_hand.layers.Dropout(0.5), by_hand.spectral(1)
    )
    kind = by_hand.batch_normalized._replace(discriminator=spectral)
    return make_gan(kind, latent=ganjax.Normal(1.0, 2.0))


@pytest.fixture(scope="module")
def state(gan):
    """A few steps on, so that averages, weights and statistics all differ."""
    state = ganjax.init_state(gan, jax.random.key(1))
    step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)
    for i in range(4):
        state, _ = step(gan, state, 3 + jax.random.normal(jax.random.key(i), (BATCH, 2)))
    return state


def in_numpy(weights):
    return [np.asarray(x) for x in weights]


def generator_by_hand(weights, z):
    first, gamma, beta, last, bias = in_numpy(weights.params)
    mean, variance = in_numpy(weights.statistics)
    h = gamma * (z @ first - mean) / np.sqrt(variance + 1e-3) + beta
    return np.maximum(h, 0) @ last + bias


def normalized(kernel, u):
    """W / sigma, with the power iteration the layer itself would make next."""
    v = u @ kernel.T
    v /= np.linalg.norm(v)
    u = v @ kernel
    u /= np.linalg.norm(u)
    return kernel / (v @ kernel @ u.T)


def discriminator_by_hand(network, x):
    first, first_bias, last, last_bias = in_numpy(network.params)
    u_first, u_last = (u for u in in_numpy(network.statistics) if u.dtype == np.float32)
    h = np.maximum(x @ normalized(first, u_first) + first_bias, 0)
    return h @ normalized(last, u_last) + last_bias


def test_sample_latent(gan, key):
    latents = ganjax.sample_latent(gan, key, 5)
    assert latents.shape == (5, 3)
    assert latents.dtype == jnp.float32
    close(latents, 1 + 2 * jax.random.normal(key, (5, 3)), rtol=1e-6)
    np.testing.assert_array_equal(ganjax.sample_latent(gan, jax.random.key_data(key), 5), latents)


@pytest.mark.parametrize("ema", [True, False])
def test_generate_and_decode(gan, state, key, ema):
    latents = ganjax.sample_latent(gan, key, 7)
    samples = ganjax.generate(gan, state, key, 7, ema=ema)
    assert samples.shape == (7, 2)
    assert samples.dtype == jnp.float32
    expected = generator_by_hand(state.ema if ema else state.generator, np.asarray(latents))
    close(samples, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(ganjax.decode(gan, state, latents, ema=ema), samples)


def test_average_is_the_default_and_another_generator(gan, state, key):
    averaged = ganjax.generate(gan, state, key, 7)
    np.testing.assert_array_equal(averaged, ganjax.generate(gan, state, key, 7, ema=True))
    assert not np.allclose(averaged, ganjax.generate(gan, state, key, 7, ema=False), atol=1e-4)


def test_discriminate(gan, state, key):
    """At inference: no dropout, and spectrally normalised kernels."""
    x = 3 + jax.random.normal(key, (9, 2))
    logits = ganjax.discriminate(gan, state, x)
    assert logits.shape == (9, 1)
    assert logits.dtype == jnp.float32
    close(logits, discriminator_by_hand(state.discriminator, np.asarray(x)), rtol=1e-4, atol=1e-5)


def test_samples_do_not_depend_on_one_another(gan, state, key):
    latents = ganjax.sample_latent(gan, key, 6)
    close(
        ganjax.decode(gan, state, latents)[:2], ganjax.decode(gan, state, latents[:2]), rtol=1e-5, atol=1e-6
    )


def test_zero_kernel_at_inference(gan, state):
    """A spectrally normalised kernel of zeros has no sigma to divide by: it stays zero."""
    first, *others = state.discriminator.params
    network = type(state.discriminator)(
        [jnp.zeros_like(first), *others], state.discriminator.statistics, state.discriminator.optimizer
    )
    flat = type(state)(state.step, state.key, state.generator, network, state.ema)
    logits = ganjax.discriminate(gan, flat, jnp.ones((2, 2)))
    assert np.all(np.isfinite(logits))
    assert logits[0] == logits[1]


def test_transformations(gan, state):
    """jit, vmap over keys, grad in the latents."""
    keys = jax.random.split(jax.random.key(2), 3)
    generate = jax.jit(lambda state, key: ganjax.generate(gan, state, key, 4))
    many = jax.jit(jax.vmap(generate, (None, 0)))(state, keys)
    for key, samples in zip(keys, many, strict=True):
        close(generate(state, key), samples, rtol=1e-5, atol=1e-6)
    generate(state, keys[0])
    assert generate._cache_size() == 1
    latents = jnp.full((1, 3), 0.3)
    slope = jax.grad(lambda z: ganjax.decode(gan, state, z)[0, 0])(latents)
    shift = np.zeros((1, 3), np.float32)
    shift[0, 1] = 1e-3
    difference = ganjax.decode(gan, state, latents + shift) - ganjax.decode(gan, state, latents - shift)
    close(slope[0, 1], difference[0, 0] / 2e-3, rtol=0.02, atol=1e-3)


def test_population(gan):
    keys = jax.random.split(jax.random.key(4), 2)
    population = jax.vmap(ganjax.init_state, (None, 0))(gan, keys)
    generate = jax.vmap(ganjax.generate, (None, 0, None, None))
    samples = generate(gan, population, jax.random.key(5), 3)
    for i, key in enumerate(keys):
        single = ganjax.generate(gan, ganjax.init_state(gan, key), jax.random.key(5), 3)
        close(samples[i], single, rtol=1e-4, atol=1e-5)
