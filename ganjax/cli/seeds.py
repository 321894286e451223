"""`ganjax train EXPERIMENT --seeds A:B`: train one experiment with many seeds, and show a table of scores."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganjax.cli.running import Process, machine_errors_in_one_line
from ganjax.system.errors import UserError

MOST = 256  # each run has two open files, and many systems allow a process 1024
AGAIN = "the same command with --resume"


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds of `0:10` (half open, like a Python slice) or `0,3,7`.

    Raises:
        UserError: the text is not of this form, or names no seed, one seed twice, or too many.
    """
    if re.fullmatch(r"[0-9]{1,10}:[0-9]{1,10}", text, re.ASCII):
        first, end = map(int, text.split(":"))
        seeds: Sequence[int] = range(first, end)
    elif re.fullmatch(r"[0-9]{1,10}(,[0-9]{1,10})*", text, re.ASCII):
        seeds = [int(word) for word in text.split(",")]
    else:
        raise UserError(f"--seeds must look like 0:10 (for 0 to 9) or 0,3,7, got {text!r}")
    if not 1 <= len(seeds) <= MOST:
        raise UserError(f"--seeds must name 1 to {MOST} seeds; {text} names {len(seeds)}")
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {text} names a seed twice")
    return tuple(seeds)


def run_seeds(
    experiment: Any,
    seeds: Sequence[int],
    parent: Path,
    process: Process,
    *,
    overwrite: bool,
    resume: bool,
) -> int:
    """Call `fit_population` with these seeds and print a table of scores; returns the exit code.

    Raises:
        UserError: a run exists already, cannot be written, or has diverged.
    """
    experiments = [dataclasses.replace(experiment, seed=seed) for seed in seeds]

    from ganjax.training import Diverged, RunFolder, fit_population

    folders = [RunFolder(parent / f"{experiment.name}-{seed}") for seed in seeds]
    # Existing folders first: if one is in the way, it is found before any folder is created.
    for i, folder in sorted(enumerate(folders), key=lambda pair: pair[1].is_empty()):
        if not (resume and folder.manifest_path.exists()):
            folders[i] = RunFolder.create(folder.path, overwrite=overwrite)
    with machine_errors_in_one_line(experiment, AGAIN):
        ended = fit_population(
            experiments,
            folders,
            resume=resume,
            checkpoint_policy=process.check(),
            quiet=process.quiet,
            leave=os._exit,
        )
    outcomes = [how for how in ended if not isinstance(how, Diverged)]
    stopped = [outcome for outcome in outcomes if outcome.stopped_by]
    if not process.quiet:
        lines = score_table([outcome.scores for outcome in outcomes if outcome.scores])
        lines.append(f"{parent}/{experiment.name}-*: see report.html, samples/final.png and film.gif")
        if stopped:
            step = stopped[0].step
            lines.append(f"stopped at step {step} of {experiment.steps}; to continue, use {AGAIN}")
        print("\n".join(lines), file=sys.stderr)
    if stopped:
        return 128 + stopped[0].stopped_by
    diverged = [(seed, how.step) for seed, how in zip(seeds, ended, strict=True) if isinstance(how, Diverged)]
    if diverged:
        places = ", ".join(f"seed {seed} in step {step}" for seed, step in diverged)
        raise UserError(
            f"{len(diverged)} of {len(seeds)} runs diverged: {places}; the last good state of each is in its "
            "folder checkpoints/: try a smaller learning rate"
        )
    return 0


def score_table(scores: Sequence[Mapping[str, float]]) -> list[str]:
    """Lines of a table: mean, standard error of the mean, minimum and maximum of each score over the runs."""
    if not scores:
        return []
    rows = [[f"{len(scores)} runs", "mean", "error", "min", "max"]]
    for name in dict.fromkeys(name for each in scores for name in each):
        values = [each[name] for each in scores if name in each]
        error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        numbers = (statistics.fmean(values), error, min(values), max(values))
        rows.append([name, *(f"{number:.4g}" for number in numbers)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])]) for name, *numbers in rows
    ]
