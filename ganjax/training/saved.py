"""The generator a run left behind: plain Keras, loaded without executing any code the file may carry."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ganjax import stateless
from ganjax.errors import UserError
from ganjax.gan import Normal
from ganjax.training.run_folder import RunFolder

BATCH = 256  # latents decoded at once, so that any number fits in memory

# What Keras's refusals of code say (`keras.src.saving.serialization_lib` has no class for them).
FOREIGN_CODE = ("safe_mode", "unsafe", "Could not locate", "Could not deserialize", "Cannot deserialize")


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
            latent = folder.read_manifest()["latent"]
            values = {name: float(value) for name, value in latent.items()}
            self.latent: Callable[..., jax.Array] = Normal(**values)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(f"{folder.manifest_path} does not say how latents are drawn: {error}") from error
        self.model = load_model(folder, "generator")
        self.latent_shape = stateless.input_shape(self.model)
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


def load_model(folder: RunFolder, role: str) -> keras.Model:
    """The run's `"generator"` or `"discriminator"`, in Keras's safe mode; it has one input and one output.

    Raises:
        UserError: there is none, or its file is damaged, carries code, or is not the one this run wrote.
    """
    path = folder.model_path(role)
    if not path.exists():
        raise UserError(f"{folder.path} has no {path.name}: the run did not get that far")
    try:
        model: keras.Model = keras.models.load_model(path, compile=False, safe_mode=True)  # type: ignore[assignment]
        stateless.output_shape(model)  # it has one input and one output
    except Exception as error:  # in a damaged file Keras stumbles over anything
        raise UserError(f"{path} cannot be loaded: {_reason(error)}; {_again(folder)}") from error
    written = folder.read_manifest().get("models")
    if isinstance(written, dict) and written.get(path.name) != folder.model_digests()[path.name]:
        raise UserError(f"{path} is not the file that this run wrote: {_again(folder)}")
    return model


def _again(folder: RunFolder) -> str:
    return f"`ganjax resume {folder.path}` writes it anew"


def _reason(error: Exception) -> str:
    said = str(error)
    if any(sign in said for sign in FOREIGN_CODE):
        return "it carries or asks for code beyond Keras's own layers, which is not run"
    return textwrap.shorten(said or type(error).__name__, 200, placeholder=" ...")
