"""The Keras models that a run has saved, loaded without running any code that the files may contain."""

from __future__ import annotations

import os
import textwrap

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ganjax import stateless
from ganjax.datasets.conditions import Condition
from ganjax.gan import Latent
from ganjax.latents import Normal, NormalAndSigns
from ganjax.runs.run_folder import RunFolder
from ganjax.system.errors import UserError

BATCH = 256  # latents decoded at once: any number of samples then fits in memory

# Texts of Keras's errors about code in a file (`keras.src.saving.serialization_lib` has no class for them).
CODE_ERRORS = ("safe_mode", "unsafe", "Could not locate", "Could not deserialize", "Cannot deserialize")


class SavedGenerator:
    """A run's trained generator and the latent distribution it was trained with.

    Args:
        folder: of the run.
        latent: the distribution, for a run with one that is not of `ganjax.latents`.

    Attributes:
        model: the Keras model.
        latent: `(key, shape) -> float32 latents`.
        condition: the meaning of the labels, in a conditional run; otherwise None.
        latent_shape: shape of one latent.
        sample_shape: shape of one sample.

    Raises:
        UserError: the run has no generator yet, or its file is damaged or contains code, or it does not make
            one array from one latent, or the manifest does not say how latents are drawn or what labels mean.
    """

    def __init__(self, folder: RunFolder, latent: Latent | None = None) -> None:
        self.model = load_model(folder, "generator")
        latents, _ = stateless.split_inputs(stateless.input_spec(self.model))
        for spec in (latents, stateless.output_spec(self.model)):
            if not isinstance(spec, jax.ShapeDtypeStruct):
                raise UserError(
                    f"the generator of {folder.path} takes or makes several arrays, which no command "
                    "shows: in Python, ganjax.training.load_models(folder) loads it"
                )
        self.latent: Latent = latent or read_latent(folder)
        self.condition = _condition(folder, stateless.label_shape(self.model))
        self.latent_shape = stateless.input_shape(self.model)
        self.sample_shape = stateless.output_shape(self.model)
        self._forward = jax.jit(self._call)

    def draw_latents(self, seed: int, n: int) -> np.ndarray:
        """`(n, *latent_shape)` float32, from `jax.random.key(seed)`.

        Raises:
            UserError: `seed` is not in [0, 2^32).
        """
        if not 0 <= seed < 2**32:  # JAX would silently take it modulo 2^32
            raise UserError(f"--seed must be at least 0 and below 2^32, got {seed}")
        return np.asarray(self.latent(jax.random.key(seed), (n, *self.latent_shape)))

    def decode(self, latents: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Samples `(n, *sample_shape)` float32.

        Args:
            latents: `(n, *latent_shape)`.
            labels: `(n, size)` float32, in a conditional run, encoded by its `condition`; None stands for the
                most frequent value of every attribute.
        """
        if self.condition and labels is None:
            labels = self.condition.encode(self.condition.usual(len(latents)))
        arrays = [latents] if labels is None else [latents, labels]
        n = len(latents)
        # All batches have the same size, so that one compilation is enough.
        size = min(n, BATCH)
        padded = [np.concatenate([x, np.repeat(x[-1:], -n % size, axis=0)]) for x in arrays]
        parts = [
            self._forward(*(jnp.asarray(x[i : i + size]) for x in padded))
            for i in range(0, len(padded[0]), size)
        ]
        return np.concatenate([np.asarray(part, np.float32) for part in parts])[:n]

    def _call(self, latents: jax.Array, *labels: jax.Array) -> jax.Array:
        with stateless.standard_promotion():
            return self.model([latents, *labels] if labels else latents, training=False)


def read_latent(folder: RunFolder) -> Normal | NormalAndSigns:
    """The latent distribution in the manifest.

    Raises:
        UserError: there is none, or it is not one of ganjax: no other class is imported, as that runs code.
    """
    try:
        described = dict(folder.read_manifest()["latent"])
        # The manifests of an older ganjax hold only the fields, which differ between these two.
        guess = NormalAndSigns if set(described) == {"signs"} else Normal
        name = described.pop("class", f"{guess.__module__}.{guess.__qualname__}")
        if name == f"{Normal.__module__}.{Normal.__qualname__}":
            return Normal(**{field: float(value) for field, value in described.items()})
        if name == f"{NormalAndSigns.__module__}.{NormalAndSigns.__qualname__}":
            return NormalAndSigns(**{field: int(value) for field, value in described.items()})
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"{folder.manifest_path} does not say how latents are drawn: {error}") from error
    raise UserError(
        f"{folder.path} draws its latents with {name}, which is not part of ganjax: in Python, "
        "SavedGenerator(folder, latent=...) of ganjax.runs.saved_models samples with it"
    )


def _condition(folder: RunFolder, label_shape: tuple[int, ...] | None) -> Condition | None:
    """The meaning of the run's labels, if its generator takes any."""
    if label_shape is None:
        return None
    try:
        condition = Condition.from_json(folder.read_manifest()["data"]["condition"])
        if (condition.size,) != label_shape:
            raise ValueError(f"a label has {condition.size} numbers, the generator takes {label_shape}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{folder.manifest_path} does not say what its labels mean: {error}") from error
    return condition


def load_model(folder: RunFolder, role: str) -> keras.Model:
    """The run's `"generator"` or `"discriminator"`, loaded in Keras's safe mode.

    Raises:
        UserError: the file is missing, damaged, contains code, or is not the one that this run wrote.
    """
    path = folder.model_path(role)
    if not path.exists():
        raise UserError(f"{folder.path} has no {path.name}: the run has not finished")
    try:
        model: keras.Model = keras.models.load_model(path, compile=False, safe_mode=True)  # type: ignore[assignment]
        stateless.output_spec(model)  # raises if it cannot be called
    except Exception as error:  # Keras raises many kinds of error for a damaged file
        raise UserError(f"{path} cannot be loaded: {_reason(error)}; {_how_to_repair(folder)}") from error
    written = folder.read_manifest().get("models")
    if isinstance(written, dict) and written.get(path.name) != folder.model_digests()[path.name]:
        raise UserError(f"{path} is not the file that this run wrote: {_how_to_repair(folder)}")
    return model


def load_models(folder: str | os.PathLike[str]) -> tuple[keras.Model, keras.Model]:
    """The trained `(generator, discriminator)` of a run, for `ganjax.init_state` to start from, for example.

    The generator is the averaged one, as in everything that shows what a run has learnt.

    Args:
        folder: of a run that has finished.

    Raises:
        UserError: there is no such run, or as `load_model` does.
    """
    run = RunFolder.open(folder)
    return load_model(run, "generator"), load_model(run, "discriminator")


def _how_to_repair(folder: RunFolder) -> str:
    return f"`ganjax resume {folder.path}` writes it again"


def _reason(error: Exception) -> str:
    said = str(error)
    if any(sign in said for sign in CODE_ERRORS):
        return "it contains or needs code other than Keras's own layers, and ganjax does not run such code"
    return textwrap.shorten(said or type(error).__name__, 200, placeholder=" ...")
