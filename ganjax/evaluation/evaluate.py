"""Scoring a run on pictures: `evaluate` draws its samples, compares them with real ones and saves the result.

`Evaluation` holds the result of one run, `spread` summarises several, and `save_neighbours` shows samples
beside the training pictures closest to them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ganjax import metrics, viewing
from ganjax.evaluation.attribute_classifier import AttributeClassifier, as_columns, avatar_classifier
from ganjax.evaluation.classifier import GRID, Recipe
from ganjax.evaluation.inception import inception_features
from ganjax.evaluation.real import Real, halved, is_avatars, rendered
from ganjax.evaluation.scores import (
    Score,
    Sets,
    agreement_scores,
    attribute_scores,
    attribute_tables,
    feature_scores,
    memorisation_scores,
    pyramid_scores,
)
from ganjax.runs.run_folder import RunFolder
from ganjax.runs.saved_models import SavedGenerator
from ganjax.system.environment import environment
from ganjax.system.errors import UserError
from ganjax.system.files import atomic
from ganjax.system.progress import tell
from ganjax.training.experiment import Experiment

SCHEMA = 1
NEIGHBOURS = "evaluation/neighbours.png"

ROWS, COLUMNS = 12, 3  # of that picture: samples, and the nearest training pictures of each
SEARCHED = 256  # samples among which those closest to a training picture are chosen


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The scores of a run and how they were computed: the contents of `evaluation.json`.

    Attributes:
        run: its folder.
        generator: SHA-256 of its generator's file; it changes if the run is continued.
        n: number of samples.
        seed: of their latents.
        seconds: how long the evaluation took.
        classifier: the avatar classifier's accuracy by attribute and the SHA-256 of its file; None if the run
            was trained on other pictures.
        scores: each with what real samples get.
        attributes: the share of every value of every attribute; empty without a classifier.
        note: where the real samples come from, and whether they were held out.
        neighbours: path of the picture of the nearest training pictures, relative to the folder; "" for a run
            on points.
        environment: versions, processor, flags.
    """

    run: str
    generator: str
    n: int
    seed: int
    seconds: float
    classifier: dict[str, Any] | None
    scores: list[Score]
    attributes: list[dict[str, Any]]
    note: str
    neighbours: str
    environment: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As JSON values; NaN and infinity become None."""
        return {"schema": SCHEMA, **_without_nan(dataclasses.asdict(self))}

    def save(self) -> None:
        """Write `evaluation.json` into the run's folder."""
        with atomic(Path(self.run) / "evaluation.json") as temporary:
            written = json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n"
            temporary.write_text(written, encoding="utf-8")


def evaluate(
    folder: RunFolder,
    experiment: Experiment,
    *,
    n: int = 10_000,
    seed: int = 1,
    inception: Path | None = None,
    recipe: Recipe | None = None,
    quiet: bool = False,
) -> Evaluation:
    """Score a run on pictures; writes `evaluation.json` and `evaluation/neighbours.png` into its folder.

    Args:
        folder: the run.
        experiment: the experiment it ran, whose `load` gives the pictures it was trained on.
        n: number of samples; for a run on a folder of pictures at most half the number of pictures.
        seed: of the samples' latents.
        inception: a file of Inception weights, for distances in its features (see `inception.py`).
        recipe: of the avatar classifier; by default the one for pictures of this size.
        quiet: do not report progress.

    Raises:
        UserError: the run does not make pictures, has no generator, gives samples that are not finite, or its
            training pictures have changed; or a file cannot be read or written.
    """
    start, say = time.monotonic(), (lambda _: None) if quiet else tell
    generator = SavedGenerator(folder)
    if len(generator.sample_shape) != 3:
        raise UserError(f"{folder.path} makes points, not pictures")
    training, described = _training_pictures(folder, experiment, quiet)
    if is_avatars(experiment, described):
        say(f"rendering {2 * n} fresh faces")
        real = rendered(training, n, not quiet)
        note = "Compared with freshly rendered faces that the run was not trained on."
    else:
        real = halved(training, n, seed)
        n = len(real.held_out)
        note = (
            f"The run was trained on all {len(training)} real pictures: samples are compared with one half, "
            f"and the other half takes the place of held-out pictures; {n} samples."
        )
    say(f"drawing {n} samples")
    samples, requested = draw(generator, seed, n)
    kernel_key, patch_key = jax.random.split(jax.random.key(seed))
    pictures = Sets(real.reference, samples, real.held_out)
    scores: list[Score] = []
    classifier, tables = None, []
    if real.labels is not None and training.shape[1] % GRID == 0:
        classifier = avatar_classifier(recipe or Recipe(size=training.shape[1]), progress=not quiet)
        say("classifying faces")
        scores, tables = _classifier_scores(classifier, pictures, requested, real, kernel_key)
    size = training.shape[1]
    if size >= 16 and size & (size - 1) == 0:
        say("comparing patches")
        scores += pyramid_scores(pictures, patch_key)
    say("looking for copies of training pictures")
    scores += memorisation_scores(samples, real.training, real.fresh, real.unseen)
    save_neighbours(folder.path / NEIGHBOURS, samples, real.training)
    if inception is not None:
        say("computing Inception features")
        scores += _inception_scores(inception, pictures, kernel_key, not quiet)
    found = Evaluation(
        run=str(folder.path),
        generator=folder.model_digests()["generator.keras"],
        n=n,
        seed=seed,
        seconds=round(time.monotonic() - start, 1),
        classifier=None
        if classifier is None
        else {"accuracy": classifier.accuracy, "sha256": classifier.sha256},
        scores=scores,
        attributes=tables,
        note=note,
        neighbours=NEIGHBOURS,
        environment=environment(),
    )
    found.save()
    return found


def draw(generator: SavedGenerator, seed: int, n: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw samples, and for a conditional run the labels that they are generated from.

    Returns:
        The samples as pictures are saved, uint8 (n, size, size, channels), and attribute -> int32 (n,) with
        every value as frequent as in the training data; an empty mapping for an unconditional run.

    Raises:
        UserError: some samples are not finite.
    """
    requested = generator.condition.draw(seed, n) if generator.condition else {}
    labels = generator.condition.encode(requested) if generator.condition else None
    latents, parts = generator.draw_latents(seed, n), []
    for start in range(0, n, 1024):  # in parts, as floats take four times the space
        some = slice(start, start + 1024)
        values = generator.decode(latents[some], None if labels is None else labels[some])
        if not np.isfinite(values).all():
            raise UserError("the generator gives pixels that are not finite: this run has diverged")
        parts.append(viewing.to_uint8(values))
    return np.concatenate(parts), requested


def _training_pictures(
    folder: RunFolder, experiment: Experiment, quiet: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    source, described = experiment.load(not quiet)
    written = folder.read_manifest().get("data")
    if not isinstance(written, dict) or written.get("sha256") != described.get("sha256"):
        raise UserError(
            f"{folder.path} was trained on other pictures than those found now: give the folder of its own "
            "pictures with --data"
        )
    return np.asarray(source.array), dict(described)  # type: ignore[attr-defined]


def _classifier_scores(
    classifier: AttributeClassifier,
    pictures: Sets,
    requested: dict[str, np.ndarray],
    real: Real,
    key: jax.Array,
) -> tuple[list[Score], list[dict[str, Any]]]:
    reference, samples, held_out = (classifier.read(images) for images in pictures)
    assert real.labels is not None
    real_labels = as_columns(dict(real.labels))
    features = Sets(reference.features, samples.features, held_out.features)
    scores = [
        *agreement_scores(requested, samples, real.labels, reference),
        *attribute_scores(real_labels, samples, held_out),
        *feature_scores(features, "avatar_classifier", "features of the avatar classifier", key),
    ]
    return scores, attribute_tables(real_labels, samples.labels)


def _inception_scores(path: Path, pictures: Sets, key: jax.Array, progress: bool) -> list[Score]:
    network = inception_features(path)
    sets = Sets(*(network.describe(images, progress) for images in pictures))
    return list(feature_scores(sets, network.name, network.about, key))


def save_neighbours(path: Path, samples: np.ndarray, training: np.ndarray) -> None:
    """Save a picture with a sample in each row, followed by the training pictures closest to it.

    Of the first 256 samples it shows the 12 that are closest to a training picture, so that copies are seen
    if there are any. The numbers are Euclidean distances between pixels in [-1, 1] to the closest picture.

    Args:
        path: of the picture; its folder is made if needed.
        samples: uint8 (n, size, size, channels).
        training: uint8 (m, size, size, channels), at least three.
    """
    found = metrics.nearest(samples[:SEARCHED], training)
    rows = np.argsort(found.distances, kind="stable")[:ROWS]
    sheet = np.stack([[samples[row], *training[_nearest_few(samples[row], training)]] for row in rows])
    path.parent.mkdir(exist_ok=True)
    labels = [f"{distance:.1f}" for distance in found.distances[rows]]
    columns = ["sample", *(f"training {i}" for i in range(1, COLUMNS + 1))]
    scale = max(1, 128 // sheet.shape[2])  # pixels stay squares
    viewing.save_image(path, viewing.labelled_grid(sheet, labels, columns, scale=scale))


def _nearest_few(sample: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Indices of the `COLUMNS` nearest training pictures, the nearest first."""
    squares = np.zeros(len(training), np.int64)
    for start in range(0, len(training), 1024):
        difference = training[start : start + 1024].astype(np.int32) - sample
        squares[start : start + 1024] = (difference**2).sum(axis=(1, 2, 3))
    return np.argsort(squares, kind="stable")[:COLUMNS]


class Spread(NamedTuple):
    """One score over several runs.

    Attributes:
        score: that of the first run, for its names.
        mean, floor: means over the runs of the score and of what real samples get.
        deviation: standard deviation between the runs; NaN for a single run.
        error: standard error of the mean; NaN for a single run.
    """

    score: Score
    mean: float
    floor: float
    deviation: float
    error: float


def spread(evaluations: Sequence[Evaluation]) -> list[Spread]:
    """Mean and standard deviation of every score that all the runs have."""
    found = [{score.name: score for score in each.scores} for each in evaluations]
    rows = []
    for score in evaluations[0].scores:
        if all(score.name in scores for scores in found):
            values = np.array([scores[score.name].value for scores in found])
            floors = np.array([scores[score.name].floor for scores in found])
            deviation = values.std(ddof=1) if len(values) > 1 else math.nan
            error = float(deviation) / math.sqrt(len(values))
            rows.append(Spread(score, float(values.mean()), float(floors.mean()), float(deviation), error))
    return rows


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
