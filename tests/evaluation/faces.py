"""A tiny classifier, and an untrained run on a few faces: tests choose what its samples are."""

import dataclasses
import functools
from functools import cached_property
from typing import ClassVar

import jax
import keras

from ganjax.datasets import batches
from ganjax.datasets.avatars import render_avatars
from ganjax.evaluation.attribute_classifier import avatar_classifier
from ganjax.evaluation.classifier import Recipe
from ganjax.experiments import Experiment
from ganjax.gan import GAN
from ganjax.runs.manifest import describe
from ganjax.runs.run_folder import RunFolder

SIZE = 32
RECIPE = Recipe(size=SIZE, faces=768, steps=120, batch=32, width=8, features=16, learning_rate=1e-2)


@functools.cache
def classifier(base):
    return avatar_classifier(RECIPE, str(base / "cache"))


@functools.cache
def faces(seed, n):
    """Rendered once for all tests, which must not change the arrays."""
    return render_avatars(seed, n, SIZE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Faces(Experiment):
    """Few faces.

    ganjax train faces
    """

    name: ClassVar[str] = "faces"

    data: str | None = None
    """None for faces; anything else for the same pictures as if they came from a folder."""

    @cached_property
    def gan(self):
        layers = keras.layers
        generator = [
            layers.Input((4,)),
            layers.Dense(SIZE * SIZE * 3, "tanh"),
            layers.Reshape((SIZE, SIZE, 3)),
        ]
        discriminator = [layers.Input((SIZE, SIZE, 3)), layers.Flatten(), layers.Dense(1)]
        return GAN(keras.Sequential(generator), keras.Sequential(discriminator))

    def load(self, progress):
        found = faces(0, 96)
        return batches.Resident(found), {"name": "avatars", "count": len(found), "sha256": found.fingerprint}


def run(path, **settings):
    """`(folder, experiment)` of a run whose generator has its initial weights."""
    experiment = Faces(**settings)
    folder = RunFolder.create(path)
    folder.write_model("generator", experiment.gan.generator)
    description = describe(experiment, jax.random.key(0), experiment.load(False)[1])
    folder.write_manifest(description | {"models": folder.model_digests()})
    return folder, experiment
