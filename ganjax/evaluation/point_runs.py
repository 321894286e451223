"""Scoring a run on points: its samples against fresh real ones, and what is written about both."""

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
    Floor,
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
    """Whether the run's samples are points, not pictures.

    Raises:
        UserError: it has no generator that can be read.
    """
    return len(SavedGenerator(folder).sample_shape) == 1


def evaluate_point_run(
    folder: RunFolder,
    experiment: Experiment,
    *,
    n: int = 2500,
    seed: int = 1,
    floors: dict[str, Floor] | None = None,
    quiet: bool = False,
) -> Evaluation:
    """Score a run on points; writes `evaluation.json` into its folder.

    Args:
        folder: the run.
        experiment: the experiment it ran: its `load` gives the real points, its `mixture`, if it has one,
            their modes.
        n: how many samples, and real points; where the run's data are a given set, at most half of it.
        seed: of the samples' latents, and of the real points.
        floors: what perfect samplers get, by the real points; looked up here, and added to, so that it is
            found once for all runs on the same points.
        quiet: say nothing of what is going on.

    Raises:
        UserError: the run makes no points, has no generator, or gives samples that are not finite; there are
            fewer than 32 real points to be had; or a file cannot be read or written.
    """
    start, say = time.monotonic(), (lambda _: None) if quiet else tell
    floors = {} if floors is None else floors
    generator = SavedGenerator(folder)
    if len(generator.sample_shape) != 1:
        raise UserError(f"{folder.path} makes pictures, not points")
    sample, n, note = _real_points(experiment, n)
    mixture = getattr(experiment, "mixture", None)
    real_key, own_key, floor_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1), 3)
    say(f"{folder.path}: comparing {n} samples with {n} real points")
    samples = generator.decode(generator.draw_latents(seed, n))
    if not np.isfinite(samples).all():
        raise UserError(
            f"{folder.path}: its generator gives points that are not finite: this run has diverged"
        )
    real = np.asarray(sample(real_key, n))
    found = evaluate_points(samples, real, mixture=mixture, key=own_key)
    name = hashlib.sha256(real.tobytes()).hexdigest()
    if name not in floors:
        say(f"comparing real points with real ones, {REPEATS} times")
        floors[name] = perfect_points(sample, n, mixture=mixture, key=floor_key)
    evaluation = Evaluation(
        run=str(folder.path),
        generator=folder.model_digests()["generator.keras"],
        n=n,
        seed=seed,
        seconds=round(time.monotonic() - start, 1),
        classifier=None,
        scores=list(point_scores(found, floors[name])),
        attributes=[],
        note=note,
        neighbours="",
        environment=environment(),
    )
    evaluation.save()
    return evaluation


def _real_points(experiment: Experiment, n: int) -> tuple[Sampler, int, str]:
    """How to draw real points, how many at most, and what is to be said of it."""
    source: Any = experiment.load(False)[0]
    note = f"Floors are of {REPEATS} sets of real points, each compared with another."
    if n > COMPARED:
        note += f" Tests, precision and the like are of the first {COMPARED} points"
        note += f", the sliced distance of {SORTED}." if n > SORTED else "."
    if hasattr(source, "sample"):
        return source.sample, n, f"Compared with fresh real points. {note}"
    points = np.asarray(source.array)
    if len(points) < 64:
        raise UserError(f"{len(points)} real points are too few to score samples against: 64 are needed")
    n = min(n, len(points) // 2)

    def sample(key: jax.Array, n: int) -> jax.Array:
        return jax.random.choice(key, source.array, (n,), replace=False)

    return sample, n, f"Compared with {n} of the {len(points)} real points that it was trained on. {note}"
