"""The generator a run left behind: plain Keras, loaded without executing any code the file may carry."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ganjax import stateless
from ganjax.errors import UserError
from ganjax.gan import Normal
from ganjax.training.run_folder import RunFolder

BATCH = 256  # latents decoded at once, so that any number fits in memory


class SavedGenerator:
    """A run's trained generator and the latent distribution it was trained with.

    Attributes:
        model: the Keras model.
        latent: `(key, shape) -> float32 latents`.
        latent_shape: shape of one latent.
        sample_shape: shape of one sample.

    Raises:
        UserError: the run has no generator yet, or its file is damaged or carries code, or the manifest does
            not say how latents are drawn.
    """

    def __init__(self, folder: RunFolder) -> None:
        try:
            self.latent: Callable[..., jax.Array] = Normal(**folder.read_manifest()["latent"])
        except (KeyError, TypeError) as error:
            raise UserError(f"{folder.manifest_path} does not say how latents are drawn: {error}") from error
        self.model = load_model(folder, "generator")
        self.latent_shape: tuple[int, ...] = tuple(self.model.input_shape[1:])
        self.sample_shape: tuple[int, ...] = tuple(self.model.output_shape[1:])
        self._forward = jax.jit(self._call)

    def draw_latents(self, seed: int, n: int) -> np.ndarray:
        """`(n, *latent_shape)` float32, from `jax.random.key(seed)`.

        Raises:
            UserError: `seed` is not in [0, 2^32).
        """
        if not 0 <= seed < 2**32:  # JAX would silently take it modulo 2^32
            raise UserError(f"--seed must be at least 0 and below 2^32, got {seed}")
        return np.asarray(self.latent(jax.random.key(seed), (n, *self.latent_shape)))

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Samples `(n, *sample_shape)` float32 of latents `(n, *latent_shape)`."""
        n = len(latents)
        # Every batch is of one size, so that one compilation serves all.
        size = min(n, BATCH)
        padded = np.concatenate([latents, np.repeat(latents[-1:], -n % size, axis=0)])
        parts = [self._forward(jnp.asarray(padded[i : i + size])) for i in range(0, len(padded), size)]
        return np.concatenate([np.asarray(part, np.float32) for part in parts])[:n]

    def _call(self, latents: jax.Array) -> jax.Array:
        with stateless.standard_promotion():
            return self.model(latents, training=False)


def load_model(folder: RunFolder, role: str) -> Any:
    """The run's `"generator"` or `"discriminator"`, in Keras's safe mode.

    Raises:
        UserError: there is none, or its file is damaged or carries code.
    """
    path = folder.model_path(role)
    if not path.exists():
        raise UserError(f"{folder.path} has no {path.name}: the run did not get that far")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError, zipfile.BadZipFile) as error:
        unsafe = "safe_mode" in str(error) or "unsafe" in str(error)
        reason = "it carries code, which is not run" if unsafe else str(error).splitlines()[0]
        raise UserError(f"{path} cannot be loaded: {reason}") from error
