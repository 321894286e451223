"""Named experiments do not depend on the user's Keras settings."""

import re
from functools import cached_property

import keras
import pytest
import small_runs

from ganjax import stateless
from ganjax.evaluation import classifier
from ganjax.experiments import EXPERIMENTS
from ganjax.gan import GAN
from ganjax.system.keras_settings import DEFAULTS, default_keras_settings
from ganjax.training import RunFolder, fit

USERS = {
    "floatx": "float16",
    "epsilon": 0.1,
    "image_data_format": "channels_first",
    "dtype_policy": "mixed_bfloat16",
}


@pytest.fixture
def users_settings():
    """A function that makes the user's settings the current ones, until the test ends."""

    def use(values=USERS):
        for name, value in values.items():
            getattr(keras.config, f"set_{name}")(value)

    yield use
    use(DEFAULTS)


def networks(name):
    """Both networks as JSON, without the numbers that Keras gives to names."""
    gan = stateless.without_values(lambda: EXPERIMENTS[name]().gan)
    return [re.sub(r"_\d+", "", model.to_json()) for model in (gan.generator, gan.discriminator)]


@pytest.mark.parametrize(
    "name", ["cartoon", "original-cartoon", "original-toy", "ring", "pacgan2", "hinge-sn"]
)
def test_networks_are_the_same(name, users_settings):
    expected = networks(name)
    users_settings()
    assert networks(name) == expected


def test_the_classifier_is_the_same(users_settings):
    expected = classifier.build(32, 2, 4).to_json()
    users_settings()
    assert classifier.build(32, 2, 4).to_json() == expected


def test_all_named_experiments_train_with_the_defaults():
    assert all(experiment.keras_defaults for experiment in EXPERIMENTS.values())


class Spectral(small_runs.Dots):
    keras_defaults = True

    @cached_property
    @default_keras_settings()
    def gan(self):
        generator, _ = small_runs.dots_networks()
        layers = keras.layers
        spectral = [layers.SpectralNormalization(layers.Dense(8, "tanh")), layers.Dense(1)]
        return GAN(generator, keras.Sequential([layers.Input((2,)), *spectral]))


def test_training_is_the_same(users_settings, tmp_path):
    """Spectral normalisation divides by a norm plus Keras's epsilon, which it reads at each call."""
    digests = []
    for name in ("default", "users"):
        folder = RunFolder.create(tmp_path / name)
        fit(Spectral(steps=1, picture_every=0), folder, quiet=True)
        digests.append(folder.read_manifest()["state_sha256"])
        users_settings()
    assert digests[0] == digests[1]
    assert keras.config.floatx() == "float16"
