"""Scoring a run on pictures: its samples, what real pictures there are, and what is written about both."""

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


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What was found about a run, and how it was looked at; what `evaluation.json` says.

    Attributes:
        run: its folder.
        generator: SHA-256 of its generator's file: a run that was made longer since has another.
        n: how many samples were scored.
        seed: of their latents.
        seconds: it took.
        classifier: the avatar classifier's accuracy by attribute and the SHA-256 of its file; None where the
            run's data are other pictures.
        scores: each beside its floor.
        attributes: shares of every value of every attribute; none without a classifier.
        note: on the real samples: where they come from, and what could not be held out.
        neighbours: the picture of the nearest training pictures, from the folder; "" where points are made.
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
        """As JSON values; what is not a number is None."""
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
        n: how many samples; of a run on a folder of pictures at most half as many as there are.
        seed: of the samples' latents.
        inception: a file of Inception weights, for the distances in its features (see `inception.py`).
        recipe: of the avatar classifier; by default the one for pictures of this size.
        quiet: say nothing of what is going on.

    Raises:
        UserError: the run makes no pictures, has no generator, gives samples that are not finite, or was
            trained on other pictures than are there now; or a file cannot be read or written.
    """
    start, say = time.monotonic(), (lambda _: None) if quiet else tell
    generator = SavedGenerator(folder)
    if len(generator.sample_shape) != 3:
        raise UserError(f"{folder.path} makes points, not pictures")
    training, described = _training_pictures(folder, experiment, quiet)
    if is_avatars(experiment, described):
        say(f"rendering {2 * n} fresh faces")
        real = rendered(training, n, not quiet)
        note = "Compared with freshly rendered faces that the run has not seen."
    else:
        real = halved(training, n, seed)
        n = len(real.held_out)
        note = (
            f"The run was trained on all {len(training)} real pictures: half of them are compared with, the "
            f"other half stands in for held-out ones; {n} samples."
        )
    say(f"drawing {n} samples")
    samples, asked = draw(generator, seed, n)
    kernel_key, patch_key = jax.random.split(jax.random.key(seed))
    pictures = Sets(real.reference, samples, real.held_out)
    scores: list[Score] = []
    classifier, tables = None, []
    if real.labels is not None and training.shape[1] % GRID == 0:
        classifier = avatar_classifier(recipe or Recipe(size=training.shape[1]), progress=not quiet)
        say("reading faces")
        scores, tables = _judged(classifier, pictures, asked, real, kernel_key)
    size = training.shape[1]
    if size >= 16 and size & (size - 1) == 0:
        say("comparing patches")
        scores += pyramid_scores(pictures, patch_key)
    say("looking for training pictures")
    scores += memorisation_scores(samples, real.training, real.fresh, real.unseen)
    save_neighbours(folder.path / NEIGHBOURS, samples, real.training)
    if inception is not None:
        say("describing pictures by Inception")
        scores += _by_inception(inception, pictures, kernel_key, not quiet)
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
    """Samples as pictures are saved, uint8 (n, size, size, channels), and what they were asked for.

    A conditional run is asked for every value as often as its data have it: attribute -> int32 (n,).

    Raises:
        UserError: some are not finite.
    """
    asked = generator.condition.draw(seed, n) if generator.condition else {}
    labels = generator.condition.encode(asked) if generator.condition else None
    latents, parts = generator.draw_latents(seed, n), []
    for start in range(0, n, 1024):  # as floats they would take four times the space
        some = slice(start, start + 1024)
        values = generator.decode(latents[some], None if labels is None else labels[some])
        if not np.isfinite(values).all():
            raise UserError("the generator gives pixels that are not finite: this run has diverged")
        parts.append(viewing.to_uint8(values))
    return np.concatenate(parts), asked


def _training_pictures(
    folder: RunFolder, experiment: Experiment, quiet: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    source, described = experiment.load(not quiet)
    written = folder.read_manifest().get("data")
    if not isinstance(written, dict) or written.get("sha256") != described.get("sha256"):
        raise UserError(
            f"{folder.path} was trained on other pictures than are there now: --data names where its own are"
        )
    return np.asarray(source.array), dict(described)  # type: ignore[attr-defined]


def _judged(
    classifier: AttributeClassifier, pictures: Sets, asked: dict[str, np.ndarray], real: Real, key: jax.Array
) -> tuple[list[Score], list[dict[str, Any]]]:
    reference, samples, held_out = (classifier.read(images) for images in pictures)
    assert real.labels is not None
    truth = as_columns(dict(real.labels))
    features = Sets(reference.features, samples.features, held_out.features)
    scores = [
        *agreement_scores(asked, samples, real.labels, reference),
        *attribute_scores(truth, samples, held_out),
        *feature_scores(features, "avatar_classifier", "features of the avatar classifier", key),
    ]
    return scores, attribute_tables(truth, samples.labels)


def _by_inception(path: Path, pictures: Sets, key: jax.Array, progress: bool) -> list[Score]:
    network = inception_features(path)
    sets = Sets(*(network.describe(images, progress) for images in pictures))
    return list(feature_scores(sets, network.name, network.about, key))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Spread(NamedTuple):
    """One score of several runs.

    Attributes:
        score: of the first run, for its names.
        mean, floor: over the runs.
        deviation: standard deviation over the runs; NaN of a single one.
        error: standard error of the mean, likewise.
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


ROWS, COLUMNS = 12, 3  # samples, and neighbours of each
LOOKED_AT = 256  # samples among which those nearest to a training picture are chosen


def save_neighbours(path: Path, samples: np.ndarray, training: np.ndarray) -> None:
    """Save a picture: in each row a sample, and the training pictures nearest to it by their pixels.

    Shown are, of the first 256 samples, the dozen that are nearest to a training picture: copies, if there
    are any. The numbers are distances to the nearest, Euclidean in pixels of [-1, 1].

    Args:
        path: where to; its folder is made.
        samples: uint8 (n, size, size, channels).
        training: uint8 (m, size, size, channels), at least three.
    """
    found = metrics.nearest(samples[:LOOKED_AT], training)
    rows = np.argsort(found.distances, kind="stable")[:ROWS]
    sheet = np.stack([[samples[row], *training[_nearest_few(samples[row], training)]] for row in rows])
    path.parent.mkdir(exist_ok=True)
    labels = [f"{distance:.1f}" for distance in found.distances[rows]]
    columns = ["sample", *(f"training {i}" for i in range(1, COLUMNS + 1))]
    scale = max(1, 128 // sheet.shape[2])  # pixels stay squares
    viewing.save_image(path, viewing.labelled_grid(sheet, labels, columns, scale=scale))


def _nearest_few(sample: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Indices of the nearest `COLUMNS` training pictures, the nearest first."""
    squares = np.zeros(len(training), np.int64)
    for start in range(0, len(training), 1024):
        difference = training[start : start + 1024].astype(np.int32) - sample
        squares[start : start + 1024] = (difference**2).sum(axis=(1, 2, 3))
    return np.argsort(squares, kind="stable")[:COLUMNS]
