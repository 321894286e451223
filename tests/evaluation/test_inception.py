"""With weights drawn at random and saved to a file: which network it is, not what it has learnt."""

import hashlib

import keras
import numpy as np
import pytest

from ganjax import stateless
from ganjax.evaluation.inception import inception_features
from ganjax.system.errors import UserError

SIZE = 75  # the least that the network takes


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    model = stateless.without_values(
        lambda: keras.applications.InceptionV3(
            include_top=False, weights=None, pooling="avg", input_shape=(SIZE, SIZE, 3)
        )
    )
    random = np.random.default_rng(0)
    for variable in model.variables:
        fan_in = np.prod(variable.shape[:-1])
        drawn = random.normal(0, np.sqrt(2 / fan_in), variable.shape) if len(variable.shape) == 4 else 0.5
        variable.assign(np.broadcast_to(drawn, variable.shape).astype(np.float32))
    path = tmp_path_factory.mktemp("inception") / "drawn.weights.h5"
    model.save_weights(path)
    return path


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_features_of_pictures(weights):
    network = inception_features(weights, SIZE)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    pictures[2] = pictures[0]
    features = network.describe(pictures)
    assert (features.shape, features.dtype) == ((3, 2048), np.float32)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features[2], features[0], rtol=1e-4, atol=1e-5)
    assert np.abs(features[1] - features[0]).max() > 1e-3
    # The scores' names and descriptions say which weights these are, and never FID.
    assert network.name == "keras_inception_v3"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() in network.about
    assert "drawn.weights.h5 (not the file that Keras publishes" in network.about
    assert "bilinearly to 75 px" in network.about


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"--inception .*nowhere\.h5 cannot be read: No such file"):
        inception_features(tmp_path / "nowhere.h5")


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.weights.h5"
    path.write_bytes(b"not even HDF5")
    with pytest.raises(UserError, match=r"does not hold the weights of keras\.applications\.InceptionV3"):
        inception_features(path, SIZE)
