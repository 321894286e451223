"""`ganjax evaluate RUN...`: scores of a run beside what real samples get; for several runs, their spread."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ganjax.cli.libraries import start_jax
from ganjax.cli.parsing import parse
from ganjax.experiments.ranges import Range, Seed, check_settings
from ganjax.system.errors import UserError, writing

if TYPE_CHECKING:
    from ganjax.evaluation.evaluate import Evaluation, Spread
    from ganjax.runs.run_folder import RunFolder

MOST_PICTURES = 100_000


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Score the samples of runs against real ones, and, for comparison, real samples against other real ones.

    $ ganjax evaluate runs/cartoon-0
    $ ganjax evaluate runs/ring-0 runs/ring-1 runs/ring-2 --n 10000

    Writes evaluation.json (and for pictures evaluation/neighbours.png) into each run folder, and updates its
    report.html.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders, either all on pictures or all on points."""
    n: Annotated[int | None, Range(32, 1_000_000)] = None
    """Number of samples, and of real ones; by default 10 000 pictures or 2500 points."""
    seed: Seed = 1
    """Seed of the samples' latents."""
    data: str | None = None
    """Where the training pictures are now, if they have been moved."""
    inception: Path | None = None
    """For pictures: an .h5 file of weights for keras.applications.InceptionV3 (no top); adds its scores."""
    quiet: bool = False
    """Print only the table."""

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.runs:
            raise UserError("name at least one run: ganjax evaluate runs/cartoon-0")


def run(words: Sequence[str]) -> int:
    """Run `ganjax evaluate` with these words; returns the exit code."""
    asked = parse(Evaluate, words, "ganjax evaluate")
    start_jax()

    from ganjax import viewing
    from ganjax.evaluation.point_runs import makes_points
    from ganjax.experiments.registry import restore
    from ganjax.runs.run_folder import RunFolder

    folders = [RunFolder.open(path) for path in asked.runs]
    experiments: list[Any] = [restore(folder.read_manifest(), asked.data) for folder in folders]
    points = [makes_points(folder) for folder in folders]
    if len(set(points)) > 1:
        raise UserError(
            f"{folders[points.index(True)].path} makes points, {folders[points.index(False)].path} pictures: "
            "evaluate them separately"
        )
    score = _scoring_points(asked) if points[0] else _scoring_pictures(asked)
    evaluations = []
    for folder, experiment in zip(folders, experiments, strict=True):
        with writing(folder.path):
            evaluations.append(score(folder, experiment))
            viewing.save_report(folder.path)
    print("\n".join(table(evaluations)))
    return 0


def _scoring_pictures(asked: Evaluate) -> Callable[[RunFolder, Any], Evaluation]:
    from ganjax.evaluation.evaluate import evaluate

    n = 10_000 if asked.n is None else asked.n
    if n > MOST_PICTURES:
        raise UserError(f"--n must be a whole number in [32, {MOST_PICTURES}] for pictures, got {n}")
    return partial(evaluate, n=n, seed=asked.seed, inception=asked.inception, quiet=asked.quiet)


def _scoring_points(asked: Evaluate) -> Callable[[RunFolder, Any], Evaluation]:
    from ganjax.evaluation.point_runs import evaluate_point_run

    if asked.inception is not None:
        raise UserError(f"--inception is for pictures, and {asked.runs[0]} makes points")
    n = 2500 if asked.n is None else asked.n
    return partial(evaluate_point_run, n=n, seed=asked.seed, floors={}, quiet=asked.quiet)


def table(evaluations: Sequence[Evaluation]) -> list[str]:
    """Lines of a table: each score that all runs have beside its floor, then notes."""
    from ganjax.evaluation.evaluate import spread

    several, first = len(evaluations) > 1, evaluations[0]
    found = spread(evaluations)
    varies = any(math.isfinite(each.score.floor_deviation) for each in found)
    head = [f"{len(evaluations)} runs" if several else first.run, "score"]
    rows = [[*head, *(["+-", "s.e."] if several else []), "floor", *(["+-"] if varies else []), "better"]]
    rows += [_row(each, several, varies) for each in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])]) for name, *numbers in rows
    ]
    real = "real points" if varies else "held-out real pictures"
    lines.append(f"{first.n} samples per run; floor: the score of as many {real}. {first.note}")
    if several:
        lines.append(
            "score and floor are means over the runs, +- is the standard deviation between runs, s.e. the "
            "standard error of the mean"
        )
    if varies:
        lines.append("+- after a floor is the standard deviation between sets of real points")
    if first.classifier is not None:
        right = ", ".join(f"{name} {share:.1%}" for name, share in first.classifier["accuracy"].items())
        lines.append(f"accuracy of the avatar classifier on held-out faces: {right}")
    for each in evaluations:
        written = ["report.html", "evaluation.json", *([each.neighbours] if each.neighbours else [])]
        lines.append(f"{each.run}: {', '.join(written)}")
    return lines


def _row(each: Spread, several: bool, varies: bool) -> list[str]:
    score = each.score
    spread = [each.deviation, each.error] if several else []
    numbers = [each.mean, *spread, each.floor, *([score.floor_deviation] if varies else [])]
    return [score.label, *map(_number, numbers), score.better]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"
