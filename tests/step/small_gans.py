"""Pairs of small networks trained by SGD, and what a step must have moved."""

import jax
import keras
import numpy as np
import optax
from keras import layers

import ganjax
from ganjax import Labelled

BATCH, RATE = 4, 0.1


def dense(units, *inputs):
    return layers.Dense(units)(layers.Concatenate()(inputs) if len(inputs) > 1 else inputs[0])


def G(outputs=None):
    z = keras.Input((3,))
    hidden = layers.Dense(4, "tanh")(z)
    return keras.Model(z, outputs(hidden) if outputs else dense(2, hidden))


def D(outputs=None):
    x = keras.Input((2,))
    hidden = layers.Dense(4, "tanh")(x)
    return keras.Model(x, outputs(hidden) if outputs else dense(1, hidden))


def sgd(generator, discriminator, **options):
    rates = {f"{role}_optimizer": optax.sgd(RATE) for role in ("generator", "discriminator")}
    return ganjax.GAN(generator, discriminator, transform=None, **(rates | options))


def stepped(gan, real, key=0):
    """A state, what its first step draws, the next state, and the metrics."""
    state = ganjax.init_state(gan, jax.random.key(key))
    samples = real.samples if isinstance(real, Labelled) else real
    drawn = ganjax.draws.draw(gan, state.key, state.step, len(jax.tree.leaves(samples)[0]))
    return state, drawn, *jax.jit(ganjax.train_step, static_argnums=0)(gan, state, real)


def call(model, network, params, *inputs):
    """The Keras model itself, in training."""
    x = inputs[0] if len(inputs) == 1 else list(inputs)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return model.stateless_call(params, network.statistics, x, training=True)[0]


def assert_moved(network, after, gradient):
    for old, new, g in zip(network.params, after.params, gradient, strict=True):
        np.testing.assert_allclose(new, old - RATE * g, rtol=1e-5, atol=1e-6)
    assert any(np.any(g != 0) for g in gradient)


REAL = np.linspace(-1, 1, BATCH * 2, dtype=np.float32).reshape(BATCH, 2)
