"""Scores of runs on the rendered faces, by the classifier of their parts: what recipes are compared by."""

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
    "values %": f"attribute values that {COMMON:.0%} of real faces have, read with confidence off a sample",
    "combinations %": "different faces, by their parts, as a share of those among as many real ones",
    "confident %": f"faces of which every part that shows is read with a confidence of at least {CONFIDENT}",
}
"""What is measured, and how it is to be read."""


class Scores:
    """`scores(folder, ema=...)`: by the names of `MEANINGS`, of faces that a run's last state draws.

    Args:
        n: how many are drawn of each run; as many real ones give `floor`.
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
        """Scores of what was read off n faces."""
        sure = np.where(reading.confidences >= CONFIDENT, reading.labels, -1)
        combinations = distinct_combinations(reading.labels) / distinct_combinations(self.real.labels)
        values = (
            frechet_distance(reading.features, self.reference.features),
            100 * share_produced(self.labels, sure, COUNTS, COMMON),
            100 * combinations,
            100 * share_confident(reading.confidences, CONFIDENT, reading.labels >= 0),
        )
        return dict(zip(MEANINGS, values, strict=True))
