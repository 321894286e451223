"""The scores by which recipes are compared: those of rendered faces, by the avatar classifier."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np

from ganjax import sampling
from ganjax.datasets.avatars import render_avatars
from ganjax.evaluation.attribute_classifier import Reading, as_columns, avatar_classifier
from ganjax.evaluation.classifier import Recipe
from ganjax.evaluation.real import HELD_OUT_SEED, REFERENCE_SEED
from ganjax.evaluation.scores import COMMON, CONFIDENT, COUNTS
from ganjax.experiments.registry import restore
from ganjax.export import arrays_to_state
from ganjax.metrics.attributes import distinct_combinations, share_confident, share_produced
from ganjax.metrics.feature_distances import frechet_distance
from ganjax.runs import checkpoints
from ganjax.runs.run_folder import RunFolder
from ganjax.stateless import without_values

REFERENCES = 10_000
BATCH = 250

MEANINGS = {
    "Frechet": f"Frechet distance to {REFERENCES} real faces in the classifier's features; lower is better",
    "values %": f"attribute values of at least {COMMON:.0%} of the real faces that are recognised with "
    "confidence in at least one sample",
    "combinations %": "different combinations of parts, relative to those in the same number of real faces",
    "confident %": f"faces on which every visible part is recognised with at least {CONFIDENT} confidence",
}
"""The meaning of each score."""


class Scores:
    """`scores(folder, ema=...)` returns the scores of a run's last state, by the names of `MEANINGS`.

    Args:
        n: number of faces from each run.

    Attributes:
        floor: the scores of the same number of real faces.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.classifier = avatar_classifier(Recipe(), progress=True)
        reference = render_avatars(REFERENCE_SEED, REFERENCES)
        self.labels, self.reference = (
            as_columns(dict(reference.labels)),
            self.classifier.read(reference.images),
        )
        self.real = self.classifier.read(render_avatars(HELD_OUT_SEED, n).images)
        self.floor = self.of(self.real)

    def __call__(self, folder: Path, *, ema: bool = True) -> dict[str, float]:
        manifest = json.loads((folder / "manifest.json").read_text())
        experiment = restore(manifest)
        gan = without_values(lambda: experiment.gan)
        arrays = checkpoints.read(RunFolder.open(folder).checkpoints()[-1]).arrays
        state = arrays_to_state(gan, arrays)
        generate = jax.jit(sampling.generate, static_argnums=(0, 3), static_argnames="ema")
        key = jax.random.key(2)
        parts = [
            np.asarray(generate(gan, state, jax.random.fold_in(key, i), BATCH, ema=ema))
            for i in range(-(-self.n // BATCH))
        ]
        return self.of(self.classifier.read(np.concatenate(parts)[: self.n]))

    def of(self, reading: Reading) -> dict[str, float]:
        """The scores of n faces, from what the classifier reads in them."""
        confident = np.where(reading.confidences >= CONFIDENT, reading.labels, -1)
        combinations = distinct_combinations(reading.labels) / distinct_combinations(self.real.labels)
        values = (
            frechet_distance(reading.features, self.reference.features),
            100 * share_produced(self.labels, confident, COUNTS, COMMON),
            100 * combinations,
            100 * share_confident(reading.confidences, CONFIDENT, reading.labels >= 0),
        )
        return dict(zip(MEANINGS, values, strict=True))
