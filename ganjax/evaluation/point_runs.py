"""Scoring a run on points: samples are compared with fresh real points, and `evaluation.json` is written."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ganjax.evaluation.evaluate import Evaluation
from ganjax.evaluation.points import (
    COMPARED,
    REPEATS,
    SORTED,
    PerfectScores,
    evaluate_points,
    perfect_points,
    point_scores,
)
from ganjax.runs.run_folder import RunFolder
from ganjax.runs.saved_models import SavedGenerator
from ganjax.system.environment import environment
from ganjax.system.errors import UserError
from ganjax.system.progress import tell
from ganjax.training.experiment import Experiment

Sampler = Callable[[jax.Array, int], jax.Array]


def makes_points(folder: RunFolder) -> bool:
    """Whether the run's samples are points and not pictures.

    Raises:
        UserError: the run has no generator that can be read.
    """
    return len(SavedGenerator(folder).sample_shape) == 1


def evaluate_point_run(
    folder: RunFolder,
    experiment: Experiment,
    *,
    n: int = 2500,
    seed: int = 1,
    floors: dict[str, PerfectScores] | None = None,
    quiet: bool = False,
) -> Evaluation:
    """Score a run on points; writes `evaluation.json` into its folder.

    Args:
        folder: the run.
        experiment: the experiment it ran. Its `load` gives the real points, and its `mixture`, if it has one,
            their modes.
        n: number of samples and of real points; at most half of the data if these are a fixed set.
        seed: of the samples' latents and of the real points.
        floors: digest of real points -> what a perfect sampler gets. New ones are added, so that they are
            computed once for all runs on the same points.
        quiet: do not report progress.

    Raises:
        UserError: the run does not make points, has no generator, or gives samples that are not finite; there
            are fewer than 64 real points; or a file cannot be read or written.
    """
    start, say = time.monotonic(), (lambda _: None) if quiet else tell
    floors = {} if floors is None else floors
    generator = SavedGenerator(folder)
    if len(generator.sample_shape) != 1:
        raise UserError(f"{folder.path} makes pictures, not points")
    sample, n, note = _real_points(experiment, n)
    mixture = getattr(experiment, "mixture", None)
    real_key, measure_key, floor_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1), 3)
    say(f"{folder.path}: comparing {n} samples with {n} real points")
    samples = generator.decode(generator.draw_latents(seed, n))
    if not np.isfinite(samples).all():
        raise UserError(
            f"{folder.path}: its generator gives points that are not finite: this run has diverged"
        )
    real = np.asarray(sample(real_key, n))
    found = evaluate_points(samples, real, mixture=mixture, key=measure_key)
    digest = hashlib.sha256(real.tobytes()).hexdigest()
    if digest not in floors:
        say(f"comparing real points with other real points, {REPEATS} times")
        floors[digest] = perfect_points(sample, n, mixture=mixture, key=floor_key)
    evaluation = Evaluation(
        run=str(folder.path),
        generator=folder.model_digests()["generator.keras"],
        n=n,
        seed=seed,
        seconds=round(time.monotonic() - start, 1),
        classifier=None,
        scores=list(point_scores(found, floors[digest])),
        attributes=[],
        note=note,
        neighbours="",
        environment=environment(),
    )
    evaluation.save()
    return evaluation


def _real_points(experiment: Experiment, n: int) -> tuple[Sampler, int, str]:
    """A sampler of real points, how many to draw (at most `n`), and a note for the reader."""
    source: Any = experiment.load(False)[0]
    note = f"What real points get is the mean of {REPEATS} sets of real points, each compared with another."
    if n > COMPARED:
        note += f" Tests, precision, recall, density and coverage use the first {COMPARED} points"
        note += f", the sliced distance the first {SORTED}." if n > SORTED else "."
    if hasattr(source, "sample"):
        return source.sample, n, f"Compared with fresh real points. {note}"
    points = np.asarray(source.array)
    if len(points) < 64:
        raise UserError(f"{len(points)} real points are too few to score samples against: 64 are needed")
    n = min(n, len(points) // 2)

    def sample(key: jax.Array, n: int) -> jax.Array:
        return jax.random.choice(key, source.array, (n,), replace=False)

    return (
        sample,
        n,
        f"Compared with {n} of the {len(points)} real points that the run was trained on. {note}",
    )
