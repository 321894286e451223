"""The maxout layer."""

import keras
import numpy as np
import pytest

from ganjax import stateless
from ganjax.discriminator_pass import is_samplewise
from ganjax.networks.maxout import Maxout


def model(units=3, pieces=4):
    return keras.Sequential([keras.Input((2,)), Maxout(units, pieces, bias_initializer="random_normal")])


def test_each_unit_is_the_largest_of_its_affine_functions():
    network = model()
    kernel, bias = (np.array(v.value) for v in network.weights)
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    pieces = [x @ kernel[:, 3 * j : 3 * j + 3] + bias[None, 3 * j : 3 * j + 3] for j in range(4)]
    np.testing.assert_allclose(network(x), np.max(pieces, axis=0), rtol=0, atol=1e-6)
    assert network.output_shape == (None, 3)


def test_with_one_piece_it_is_linear():
    network = model(pieces=1)
    kernel, bias = (np.array(v.value) for v in network.weights)
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    np.testing.assert_allclose(network(x), x @ kernel + bias[None], rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves
def test_it_can_be_rebuilt_saved_and_loaded(tmp_path):
    network = model()
    assert [v.shape for v in stateless.rebuild(network).variables] == [(2, 12), (12,)]
    network.save(tmp_path / "model.keras")
    x = np.ones((3, 2), "float32")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), network(x))
    assert is_samplewise(network)


@pytest.mark.parametrize(("units", "pieces", "name"), [(0, 1, "units"), (1, 0, "pieces"), (1, 2.0, "pieces")])
def test_wrong_arguments_are_named(units, pieces, name):
    with pytest.raises(ValueError, match=f"needs {name} to be a whole number of at least 1"):
        Maxout(units, pieces)
