"""A GAN with every kind of statistics, its step, and how states are held against each other."""

import by_hand
import jax
import keras
import numpy as np
from by_hand import QUICK
from keras import layers

import ganjax

step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)


def everything() -> tuple[keras.Model, keras.Model]:
    """A pair with every kind of statistics: moving averages, singular vectors, dropout's seeds."""
    generator = by_hand.batch_normalized.generator()
    spectral = layers.SpectralNormalization(layers.Dense(4, "relu"))
    discriminator = keras.Sequential([keras.Input((2,)), spectral, layers.Dropout(0.3), layers.Dense(1)])
    return generator, discriminator


def bits(state):
    return ganjax.state_to_arrays(state)


def assert_same_bits(a, b):
    a, b = bits(a), bits(b)
    for path in a:
        np.testing.assert_array_equal(a[path], b[path], err_msg=path)


def assert_close(a, b, rtol=1e-4, atol=1e-5):
    a, b = bits(a), bits(b)
    for path in a:
        np.testing.assert_allclose(a[path], b[path], rtol=rtol, atol=atol, err_msg=path)
