"""Keras layers that hold more than trained weights: trained, exported, saved and loaded, they are the same.

A generator is one such layer between two Dense layers. After a step of SGD its samples are those of the
exported model, and of the saved file in plain Keras.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import QUICK
from keras import layers
from keras.src.utils import module_utils

import ganjax
from ganjax import stateless

step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)
WIDTH = 4


def adapted(layer):
    data = np.random.default_rng(0).normal(20, 5, (500, WIDTH)).astype("float32")
    with stateless.standard_promotion():
        layer.adapt(data)
    return layer


def frozen(layer):
    layer.trainable = False
    return layer


def picture(*parts):
    """On a picture of 2 x 2 pixels."""
    return [layers.Reshape((2, 2, 1)), *parts, layers.Flatten()]


def nested():
    parts = layers.Dense(WIDTH), layers.BatchNormalization(), layers.SpectralNormalization(layers.Dense(2))
    model = keras.Sequential([keras.Input((WIDTH,)), *parts])
    for i, variable in enumerate(model.variables):
        size = int(np.prod(variable.shape))
        variable.assign(jnp.linspace(0.5, 1.5 + i, size).reshape(variable.shape))
    return frozen(model)


LAYERS = {
    "Normalization": lambda: [adapted(layers.Normalization())],
    "Normalization, inverse": lambda: [adapted(layers.Normalization(invert=True))],
    "Normalization, given": lambda: [layers.Normalization(mean=3.0, variance=2.0)],
    "Discretization": lambda: [adapted(layers.Discretization(num_bins=3)), layers.Rescaling(0.5)],
    "BatchNormalization": lambda: [layers.BatchNormalization(momentum=0.5)],
    "BatchNormalization, frozen": lambda: [frozen(layers.BatchNormalization())],
    "BatchNormalization, not scaled": lambda: [layers.BatchNormalization(center=False, scale=False)],
    "SpectralNormalization": lambda: [layers.SpectralNormalization(layers.Dense(WIDTH))],
    "SpectralNormalization, frozen": lambda: [frozen(layers.SpectralNormalization(layers.Dense(WIDTH)))],
    "Dense, frozen": lambda: [layers.Dense(WIDTH, trainable=False)],
    "frozen model": lambda: [nested()],
    "Dropout": lambda: [layers.Dropout(0.5)],
    "AlphaDropout": lambda: [layers.AlphaDropout(0.5)],
    "GaussianDropout": lambda: [layers.GaussianDropout(0.5)],
    "GaussianNoise": lambda: [layers.GaussianNoise(0.5)],
    "SpatialDropout1D": lambda: [layers.Reshape((2, 2)), layers.SpatialDropout1D(0.5), layers.Flatten()],
    "ActivityRegularization": lambda: [layers.ActivityRegularization(0.1)],
    "RandomFlip": lambda: picture(layers.RandomFlip()),
    "RandomContrast": lambda: picture(layers.RandomContrast(0.5, value_range=(-9, 9))),
    "RandomTranslation": lambda: picture(layers.RandomTranslation(0.5, 0.5)),
    "LSTM": lambda: [layers.Reshape((2, 2)), layers.LSTM(WIDTH, dropout=0.5, recurrent_dropout=0.5)],
    "MultiHeadAttention": lambda: [Attending()],
}


@keras.saving.register_keras_serializable("test_stock_layers")
class Attending(layers.Layer):
    """Attention of a sequence to itself, with dropout."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(1, 2, dropout=0.5)

    def build(self, shape):
        self.attention.build((None, 2, 2), (None, 2, 2))

    def call(self, x, training=None):
        x = keras.ops.reshape(x, (-1, 2, 2))
        return keras.ops.reshape(self.attention(x, x, training=training), (-1, WIDTH))


@pytest.fixture
def with_tensorflow(monkeypatch):
    """TensorFlow, which is hidden from tests (conftest.py): Discretization needs it on every backend."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if Path(path).name != "hidden"])
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(module_utils.tensorflow, "_available", None)


# Keras's writer of weights calls np.array on its variables, whose __array__ knows no copy keyword yet.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", LAYERS)
def test_samples_are_those_of_the_exported_and_of_the_saved_model(name, key, tmp_path, request):
    if name == "Discretization":
        request.getfixturevalue("with_tensorflow")
    with stateless.standard_promotion():
        parts = [layers.Dense(WIDTH), *LAYERS[name](), layers.Dense(2)]
        generator = keras.Sequential([keras.Input((3,)), *parts])
    before = [np.array(v.value) for v in generator.variables]
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    gan = ganjax.GAN(generator, discriminator, generator_optimizer=optax.sgd(0.1), ema_decay=0.5)
    state, metrics = step(gan, ganjax.init_state(gan, key), jnp.ones((6, 2)))
    assert float(metrics["finite"]) == 1
    latents = ganjax.sample_latent(gan, key, 5)
    samples = ganjax.decode(gan, state, latents)
    np.testing.assert_array_equal(ganjax.generate(gan, state, key, 5), samples)
    exported, _ = ganjax.export_models(gan, state)
    exported.save(tmp_path / "generator.keras")
    with stateless.standard_promotion():
        loaded = keras.models.load_model(tmp_path / "generator.keras")
        for model in (exported, loaded):
            found = model(latents, training=False)
            np.testing.assert_allclose(found, samples, rtol=1e-4, atol=1e-5)
    for variable, value in zip(generator.variables, before, strict=True):
        np.testing.assert_array_equal(variable.value, value)
