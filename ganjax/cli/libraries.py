"""Sets up Keras and JAX for a command, as independent of the user's settings of them as possible."""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import os
import sys
from collections.abc import Iterator
from typing import Any

from ganjax.system.errors import UserError

KERAS = {
    "KERAS_BACKEND": "jax",
    "KERAS_HOME": os.devnull,  # no keras.json: neither data format, floats and epsilon from there, nor errors
    "KERAS_NNX_ENABLED": "0",  # which needs the package flax
}
JAX = {  # settings that can make a command fail: the values that do not, and what fails with others
    "jax_default_prng_impl": (("threefry2x32",), "Keras's random functions"),
    "jax_legacy_prng_key": (("allow", "warn"), "Keras's random functions"),
    "jax_debug_key_reuse": ((False,), "scores of a run, which use the same latents each time"),
    "jax_transfer_guard_host_to_device": (("allow", "log"), "steps of training"),
    "jax_transfer_guard_device_to_host": (("allow", "log"), "steps of training"),
}
_other_backend: list[str] = []  # that KERAS_BACKEND named


@contextlib.contextmanager
def keras_by_default() -> Iterator[None]:
    """A block in which Keras, if it is imported, has default settings, the JAX backend and no TensorFlow."""
    before = {name: os.environ.get(name) for name in KERAS}
    _other_backend[:] = [before["KERAS_BACKEND"]] if before["KERAS_BACKEND"] not in (None, "", "jax") else []
    os.environ.update(KERAS)
    try:
        with _without_tensorflow():
            yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def start_jax(*, cache: bool = True) -> None:
    """Start JAX and check the user's settings of it; a command calls this before it uses Keras.

    Args:
        cache: store compiled programs in the user's cache folder.

    Raises:
        UserError: JAX does not start, or has a setting that does not work with ganjax.
    """
    from ganjax.system.progress import tell

    for backend in _other_backend:
        tell(f"ganjax: KERAS_BACKEND={backend} is ignored: ganjax uses Keras on the JAX backend")
    devices()
    import jax

    for name, (values, use) in JAX.items():
        found = getattr(jax.config, name, None)
        found = getattr(found, "value", found)  # of an enumeration
        if found is not None and found not in values:
            raise UserError(f"{use} do not work with {name.upper()}={found}: unset this environment variable")
    if cache:
        from ganjax.system.compilation_cache import keep_compilations

        keep_compilations()


def devices() -> list[Any]:
    """JAX's devices.

    Raises:
        UserError: JAX cannot be imported, or has no device.
    """
    import_jax()
    import jax

    try:
        return jax.devices()
    except (RuntimeError, AssertionError) as error:
        platforms = os.environ.get("JAX_PLATFORMS")
        what = f"no device for JAX_PLATFORMS={platforms}" if platforms else "no device"
        reason = str(error) or "there is none, or this JAX was installed without support for it"
        raise UserError(f"JAX finds {what}: {reason}") from error


def import_jax() -> None:
    """Import JAX.

    Raises:
        UserError: one of its environment variables has an invalid value.
    """
    try:
        importlib.import_module("jax")
    except ValueError as error:
        raise UserError(f"JAX cannot be imported: {error}") from error


class _Hidden(importlib.abc.MetaPathFinder):
    """Makes `import tensorflow` fail."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if fullname == "tensorflow":
            raise ModuleNotFoundError("TensorFlow is not used by ganjax", name=fullname)


@contextlib.contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Hide TensorFlow, if it is installed and not imported yet.

    Keras imports it to find out whether a layer's setting is one of its objects, which takes a second and
    hundreds of megabytes, and prints a page of messages. With `sys.modules["tensorflow"] = None` instead,
    layers such as Rescaling would believe that TensorFlow is imported, and fail.
    """
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)
