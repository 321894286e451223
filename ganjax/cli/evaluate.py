"""`ganjax evaluate RUN...`: every score of a run beside its floor, and of several runs their spread."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ganjax.cli.outputs import writing
from ganjax.cli.parsing import parse
from ganjax.errors import UserError
from ganjax.experiments.ranges import Range, Seed, check_settings

if TYPE_CHECKING:
    from ganjax.evaluation.evaluate import Evaluation


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Score what a run has learnt: its samples against real pictures, and these against one another.

    $ ganjax evaluate runs/cartoon-0
    $ ganjax evaluate runs/cartoon-0 runs/cartoon-1 runs/cartoon-2 --n 2000

    Writes evaluation.json and evaluation/neighbours.png into each run's folder, and its report.html anew.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs on pictures."""
    n: Annotated[int, Range(32, 100_000)] = 10_000
    """How many samples, and as many real pictures."""
    seed: Seed = 1
    """Seed of the samples' latents."""
    data: str | None = None
    """Where the pictures lie that the runs were trained on, if not where they lay then."""
    inception: Path | None = None
    """An .h5 file of keras.applications.InceptionV3 weights (no top): adds scores in its features."""
    quiet: bool = False
    """Print the table alone."""

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.runs:
            raise UserError("name at least one run: ganjax evaluate runs/cartoon-0")


def run(words: Sequence[str]) -> int:
    """Run `ganjax evaluate` with these words; returns the exit code."""
    asked = parse(Evaluate, words, "ganjax evaluate")

    from ganjax import viewing
    from ganjax.evaluation.evaluate import evaluate
    from ganjax.experiments.restoring import restore
    from ganjax.training.compilation_cache import keep_compilations
    from ganjax.training.run_folder import RunFolder

    keep_compilations()
    folders = [RunFolder.open(path) for path in asked.runs]
    experiments: list[Any] = [restore(folder.read_manifest(), asked.data) for folder in folders]
    evaluations = []
    for folder, experiment in zip(folders, experiments, strict=True):
        with writing(folder.path):
            evaluations.append(
                evaluate(
                    folder,
                    experiment,
                    n=asked.n,
                    seed=asked.seed,
                    inception=asked.inception,
                    quiet=asked.quiet,
                )
            )
            viewing.save_report(folder.path)
    print("\n".join(table(evaluations)))
    return 0


def table(evaluations: Sequence[Evaluation]) -> list[str]:
    """Lines: every score that all runs have beside its floor, and what is to be known of them."""
    from ganjax.evaluation.evaluate import spread

    several = len(evaluations) > 1
    head = [f"{len(evaluations)} runs" if several else evaluations[0].run, "score"]
    rows = [[*head, *(["+-"] if several else []), "floor", "better"]]
    for each in spread(evaluations):
        deviation = [_number(each.deviation)] if several else []
        rows.append(
            [each.score.label, _number(each.mean), *deviation, _number(each.floor), each.score.better]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])]) for name, *numbers in rows
    ]
    first = evaluations[0]
    lines.append(f"{first.n} samples a run; the floor is what held-out real pictures score. {first.note}")
    if several:
        lines.append("score and floor are means over the runs, +- is the standard deviation between them")
    if first.classifier is not None:
        right = ", ".join(f"{name} {share:.1%}" for name, share in first.classifier["accuracy"].items())
        lines.append(f"the avatar classifier is right on held-out faces in: {right}")
    lines += [f"{each.run}: report.html, evaluation.json, {each.neighbours}" for each in evaluations]
    return lines


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"
