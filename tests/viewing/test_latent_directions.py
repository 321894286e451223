"""Generators opened at their smallest picture."""

import keras
import numpy as np
import pytest
import small_runs
from keras import layers

from ganjax import stateless
from ganjax.networks import cartoon, dcgan
from ganjax.viewing import latent_directions


class Drawn:
    """An untrained generator, with normal latents."""

    def __init__(self, model, condition=None):
        self.model, self.condition = model, condition

    def draw_latents(self, seed, n):
        shape = keras.tree.flatten(self.model.inputs)[0].shape[1:]
        return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)

    def decode(self, latents):
        labels = [self.condition.encode(self.condition.usual(len(latents)))] if self.condition else []
        with stateless.standard_promotion():
            return np.asarray(self.model([latents, *labels] if labels else latents, training=False))


class Usual:
    """Labels of two numbers, the usual one being (0, 1)."""

    def usual(self, n):
        return [1] * n

    def encode(self, values):
        return np.eye(2, dtype=np.float32)[values]


def flat():
    """Pictures at once, without a smaller one."""
    return keras.Sequential([layers.Input((5,)), layers.Dense(27), layers.Reshape((3, 3, 3))])


def with_a_way_around():
    z = layers.Input((6,))
    small = layers.Reshape((2, 2, 3))(layers.Dense(12)(z))
    tint = layers.Reshape((1, 1, 3))(layers.Dense(3)(z))
    return keras.Model(z, layers.Add()([layers.UpSampling2D(2)(small), tint]))


@pytest.mark.parametrize(
    ("build", "smallest"),
    [
        (lambda: cartoon.cartoon_generator(32, 1, latent=5), (4, 4, 4)),
        (lambda: cartoon.cartoon_generator(32, 1, latent=5, labels=2), (4, 4, 4)),
        (lambda: dcgan.dcgan_generator(32, 2, latent=5), (4, 4, 8)),
        (lambda: small_runs.tiles_networks()[0], (4, 4, 4)),
        (flat, None),
        (with_a_way_around, None),
    ],
)
def test_where_a_generator_is_opened(build, smallest):
    model = build()
    parts = latent_directions.cut(model)
    assert (parts is None) == (smallest is None)
    if parts is not None:
        assert parts[1].input_shape[1:] == smallest
        assert parts[1].output_shape[1:] == model.output_shape[1:]


@pytest.mark.parametrize(
    ("build", "condition"),
    [
        (lambda: small_runs.tiles_networks()[0], None),
        (lambda: cartoon.cartoon_generator(32, 1, latent=5, labels=2), Usual()),
        (flat, None),
    ],
)
def test_the_face_itself_at_one_and_one_face_for_all_at_zero(build, condition):
    generator = Drawn(build(), condition)
    one = latent_directions.OpenedGenerator(generator)
    latents = generator.draw_latents(1, 3)
    faces = generator.decode(latents)
    np.testing.assert_allclose(one.decode(latents), faces, atol=1e-5)
    average = one.decode(latents, 0.0)
    np.testing.assert_allclose(average, average[:1].repeat(3, 0), atol=1e-6)
    each = one.decode(latents, np.array([1, 0, 0.5]))
    np.testing.assert_allclose(each[:2], [faces[0], average[1]], atol=1e-5)
    between = np.abs(each[2] - average[2]).mean()
    assert 0 < between < np.abs(faces[2] - average[2]).mean()


def test_any_number_is_decoded(monkeypatch):
    monkeypatch.setattr(latent_directions, "BATCH", 2)
    generator = Drawn(small_runs.tiles_networks()[0])
    one, latents = latent_directions.OpenedGenerator(generator), generator.draw_latents(1, 5)
    np.testing.assert_allclose(one.decode(latents), generator.decode(latents), atol=1e-5)


def test_directions_are_those_the_pictures_follow():
    """A linear generator that hears one coordinate much louder than another, and no third."""
    for model in (flat(), small_runs.tiles_networks()[0]):
        kernel = np.zeros(model.layers[0].kernel.shape, np.float32)
        kernel[3, ::2], kernel[1, 1::2] = 5, 1
        model.layers[0].kernel.assign(kernel)
        found = latent_directions.OpenedGenerator(Drawn(model)).directions
        np.testing.assert_allclose(found[:2, [3, 1]], np.eye(2), atol=0.02)
