"""Principal directions of features whose directions are known."""

import numpy as np
import pytest

from ganjax.viewing.latent_directions import principal_directions


@pytest.mark.parametrize("size", [3, 40])
def test_of_linear_features_they_are_the_singular_vectors(size):
    random = np.random.default_rng(0)
    weights = random.normal(size=(6, size))
    z = random.normal(size=(200, 1, 1, 6))
    found = principal_directions(z, z.reshape(200, 6) @ weights + 5, 3)
    assert (found.shape, found.dtype) == ((3, 6), np.float32)
    wanted = np.linalg.svd(weights)[0][:, :3].T
    np.testing.assert_allclose(np.abs(np.sum(found * wanted, axis=1)), 1, atol=1e-5)


def test_what_does_not_depend_on_the_latent_leads_nowhere():
    random = np.random.default_rng(1)
    z = random.normal(size=(4000, 5))
    loud_noise = 10 * random.normal(size=(4000, 3))
    features = np.concatenate([loud_noise, np.tanh(2 * z[:, 3:4]), 0.4 * z[:, 1:2] ** 3], axis=1)
    first, second = principal_directions(z, features, 2)
    assert {np.abs(first).argmax(), np.abs(second).argmax()} == {1, 3}


def test_they_are_orthonormal_and_of_one_sign_whatever_the_features():
    random = np.random.default_rng(2)
    z = random.normal(size=(50, 4))
    for features in (np.ones((50, 7)), random.normal(size=(50, 2, 2, 1)), z[:, :1]):
        found = principal_directions(z, features, 8)
        np.testing.assert_allclose(found @ found.T, np.eye(4), atol=1e-5)
        assert (found[np.arange(4), np.abs(found).argmax(axis=1)] > 0).all()
