"""What is called samplewise is: a batch's value is its samples' values, one by one."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import layers

from ganjax import networks, stateless
from ganjax.discriminator_pass import is_dense, is_samplewise


def sequential(shape, *parts):
    return keras.Sequential([keras.Input(shape), *parts])


def with_two_paths():
    x = keras.Input((4,))
    joined = layers.Concatenate()([layers.Dense(3, "tanh")(x), keras.ops.sin(x)])
    return keras.Model(x, layers.Dense(1)(sequential((7,), layers.Dense(2, "relu"))(joined)))


SAMPLEWISE = {
    "line": networks.linear_discriminator,
    "perceptron": lambda: networks.mlp(2, [8, 8], 1, activation="leaky_relu"),
    "scaled": lambda: networks.mlp(2, [8], 1, input_scale=2.0, output_scale=3.0),
    "Fourier features": lambda: networks.mlp(2, [8], 1, fourier_features=3),
    "two paths and a model within": with_two_paths,
    "activation as a layer": lambda: sequential((2,), layers.Dense(3, activation=layers.LeakyReLU(0.1))),
    "image": lambda: sequential(
        (8, 8, 3),
        layers.Conv2D(4, 4, 2, "same"),
        layers.LeakyReLU(0.2),
        layers.LayerNormalization(),
        layers.GroupNormalization(2),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(1),
    ),
}


@pytest.mark.parametrize("name", SAMPLEWISE)
def test_two_batches_joined_are_two_batches(name):
    model = SAMPLEWISE[name]()
    assert is_samplewise(model)
    params, statistics = stateless.initial_weights(model, jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (6, *stateless.input_shape(model)))

    def value(x):
        return stateless.call(model, params, statistics, x, training=True)

    (one, after), (other, _) = value(x[:2]), value(x[2:])
    joined, after_joined = value(x)
    np.testing.assert_allclose(joined, jnp.concatenate([one, other]), rtol=1e-5, atol=1e-6)
    for old, new, newer in zip(statistics, after, after_joined, strict=True):
        np.testing.assert_array_equal(old, new)
        np.testing.assert_array_equal(old, newer)


class Sum(layers.Layer):
    def call(self, x):
        return x - keras.ops.sum(x, axis=0, keepdims=True)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x) + keras.ops.mean(x)


class OwnSequential(keras.Sequential):
    def call(self, x, **options):
        return super().call(x, **options) + keras.ops.mean(x)


def subclassed():
    model = Subclassed()
    with stateless.standard_promotion():
        model(np.zeros((1, 2), "float32"))
    return model


def across_the_batch(x):
    return x / keras.ops.max(x)


MIXING = {
    "BatchNormalization": lambda: sequential((2,), layers.BatchNormalization(), layers.Dense(1)),
    "within another model": lambda: sequential((2,), sequential((2,), layers.BatchNormalization())),
    "Dropout": lambda: sequential((2,), layers.Dropout(0.5), layers.Dense(1)),
    "activity regularizer": lambda: sequential((2,), layers.Dense(1, activity_regularizer="l2")),
    "SpectralNormalization": lambda: sequential((2,), layers.SpectralNormalization(layers.Dense(1))),
    "a layer of one's own": lambda: sequential((2,), Sum(), layers.Dense(1)),
    "a function of one's own": lambda: sequential((2,), layers.Dense(1, activation=across_the_batch)),
    "a model of one's own": subclassed,
    "a sequence of one's own": lambda: OwnSequential([keras.Input((2,)), layers.Dense(1)]),
    "along the batch": lambda: keras.Model(x := keras.Input((2,)), layers.Concatenate(axis=0)([x, x])),
    "a sum over the batch": lambda: keras.Model(
        x := keras.Input((2,)), x - keras.ops.sum(x, 0, keepdims=True)
    ),
    "a fixed batch": lambda: keras.Sequential([keras.Input(batch_shape=(4, 2)), layers.Dense(1)]),
}


@pytest.mark.parametrize("name", MIXING)
def test_whatever_may_mix_samples_is_not(name):
    assert not is_samplewise(MIXING[name]())


def test_dense_and_not():
    assert is_dense(SAMPLEWISE["Fourier features"]())
    assert not is_dense(SAMPLEWISE["image"]())
    assert not is_dense(sequential((8, 8, 3), SAMPLEWISE["image"]()))
