"""Keras's default settings in a block, the user's around it."""

import keras
import pytest

from ganjax.system.keras_settings import DEFAULTS, default_keras_settings, keras_settings, settings_for

USERS = {
    "floatx": "float16",
    "epsilon": 1e-3,
    "image_data_format": "channels_first",
    "dtype_policy": "mixed_bfloat16",
}


@pytest.fixture(autouse=True)
def _users_settings():
    for name, value in USERS.items():
        getattr(keras.config, f"set_{name}")(value)
    yield
    for name, value in DEFAULTS.items():
        getattr(keras.config, f"set_{name}")(value)


def test_settings_are_restored_after_an_error():
    @default_keras_settings()
    def fail():
        assert keras_settings() == DEFAULTS
        assert keras.layers.Dense(1).dtype_policy.name == "float32"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert keras_settings() == USERS


def test_a_function_can_be_decorated_and_called_twice():
    @default_keras_settings()
    def settings():
        return keras_settings()

    assert (settings(), settings(), keras_settings()) == (DEFAULTS, DEFAULTS, USERS)


@pytest.mark.parametrize(("fixed", "expected"), [(True, DEFAULTS), (False, USERS), (None, USERS)])
def test_an_experiment_says_whether_it_needs_the_defaults(fixed, expected):
    class Experiment:
        pass

    if fixed is not None:
        Experiment.keras_defaults = fixed
    with settings_for(Experiment()):
        assert keras_settings() == expected
