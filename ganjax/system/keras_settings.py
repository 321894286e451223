"""Keras's global settings, which a user can change in `~/.keras/keras.json` or by `keras.config`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

DEFAULTS = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "dtype_policy": "float32",
}


def keras_settings() -> dict[str, Any]:
    """The current settings, as JSON values."""
    import keras

    settings = {name: getattr(keras.config, name)() for name in DEFAULTS}
    return settings | {"dtype_policy": settings["dtype_policy"].name}


@contextlib.contextmanager
def default_keras_settings() -> Iterator[None]:
    """A block, or a function that this decorates, in which Keras has its default settings.

    Named experiments are built and trained so, since the user's settings would change their results.
    """
    import keras

    before = {name: getattr(keras.config, name)() for name in DEFAULTS}
    _set(DEFAULTS)
    try:
        yield
    finally:
        _set(before)


def settings_for(experiment: Any) -> contextlib.AbstractContextManager[None]:
    """The default settings for an experiment with `keras_defaults`; the user's settings for others."""
    if getattr(experiment, "keras_defaults", False):
        return default_keras_settings()
    return contextlib.nullcontext()


def _set(values: dict[str, Any]) -> None:
    import keras

    for name, value in values.items():
        getattr(keras.config, f"set_{name}")(value)
