"""Where a generator is split, truncated pictures, and directions that are known in advance."""

import keras
import numpy as np
import pytest
import small_runs
from keras import layers

from ganjax import stateless
from ganjax.networks import cartoon, dcgan
from ganjax.viewing import latent_directions
from ganjax.viewing.latent_directions import TruncatedGenerator, principal_directions, split


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
    """Labels of two numbers; (0, 1) is the most frequent one."""

    def usual(self, n):
        return [1] * n

    def encode(self, values):
        return np.eye(2, dtype=np.float32)[values]


def flat():
    """Pictures at full size at once, so that there is nothing to split."""
    return keras.Sequential([layers.Input((5,)), layers.Dense(27), layers.Reshape((3, 3, 3))])


def with_a_second_path():
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
        (with_a_second_path, None),
    ],
)
def test_where_a_generator_is_split(build, smallest):
    model = build()
    parts = split(model)
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
def test_psi_one_changes_nothing_and_psi_zero_gives_one_average_face(build, condition):
    generator = Drawn(build(), condition)
    truncated = TruncatedGenerator(generator)
    latents = generator.draw_latents(1, 3)
    faces = generator.decode(latents)
    np.testing.assert_allclose(truncated.decode(latents), faces, atol=1e-5)
    average = truncated.decode(latents, 0.0)
    np.testing.assert_allclose(average, average[:1].repeat(3, 0), atol=1e-6)
    each = truncated.decode(latents, np.array([1, 0, 0.5]))
    np.testing.assert_allclose(each[:2], [faces[0], average[1]], atol=1e-5)
    between = np.abs(each[2] - average[2]).mean()
    assert 0 < between < np.abs(faces[2] - average[2]).mean()


def test_any_number_is_decoded(monkeypatch):
    monkeypatch.setattr(latent_directions, "BATCH", 2)
    generator = Drawn(small_runs.tiles_networks()[0])
    truncated, latents = TruncatedGenerator(generator), generator.draw_latents(1, 5)
    np.testing.assert_allclose(truncated.decode(latents), generator.decode(latents), atol=1e-5)


def test_directions_are_those_that_change_the_pictures_most():
    """A linear generator that depends strongly on one coordinate, weakly on another and on no third."""
    for model in (flat(), small_runs.tiles_networks()[0]):
        kernel = np.zeros(model.layers[0].kernel.shape, np.float32)
        kernel[3, ::2], kernel[1, 1::2] = 5, 1
        model.layers[0].kernel.assign(kernel)
        found = TruncatedGenerator(Drawn(model)).directions
        np.testing.assert_allclose(found[:2, [3, 1]], np.eye(2), atol=0.02)


@pytest.mark.parametrize("size", [3, 40])
def test_directions_of_linear_features_are_singular_vectors(size):
    random = np.random.default_rng(0)
    weights = random.normal(size=(6, size))
    z = random.normal(size=(200, 1, 1, 6))
    found = principal_directions(z, z.reshape(200, 6) @ weights + 5, 3)
    assert (found.shape, found.dtype) == ((3, 6), np.float32)
    expected = np.linalg.svd(weights)[0][:, :3].T
    np.testing.assert_allclose(np.abs(np.sum(found * expected, axis=1)), 1, atol=1e-5)


def test_noise_in_the_features_has_no_influence():
    random = np.random.default_rng(1)
    z = random.normal(size=(4000, 5))
    strong_noise = 10 * random.normal(size=(4000, 3))
    features = np.concatenate([strong_noise, np.tanh(2 * z[:, 3:4]), 0.4 * z[:, 1:2] ** 3], axis=1)
    first, second = principal_directions(z, features, 2)
    assert {np.abs(first).argmax(), np.abs(second).argmax()} == {1, 3}


def test_directions_are_orthonormal_and_their_largest_coordinates_positive():
    random = np.random.default_rng(2)
    z = random.normal(size=(50, 4))
    for features in (np.ones((50, 7)), random.normal(size=(50, 2, 2, 1)), z[:, :1]):
        found = principal_directions(z, features, 8)
        np.testing.assert_allclose(found @ found.T, np.eye(4), atol=1e-5)
        assert (found[np.arange(4), np.abs(found).argmax(axis=1)] > 0).all()
