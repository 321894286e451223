"""`python -m benchmarks reproducibility`: under which conditions two runs are the same to the bit.

Small runs of a few experiments are made under each condition of `reproducibility_conditions`, every one in
a fresh process (`small_run`), and compared with the usual one: digests of the state at named steps, arrays
after the first and the last, scores.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.reproducibility import report
from benchmarks.reproducibility.conditions import EXPERIMENTS, USUAL, Condition, with_interpreters
from benchmarks.workers import ROOT
from ganjax.cli.parsing import choose, parse
from ganjax.system.errors import UserError

PROG = "python -m benchmarks reproducibility"


@dataclasses.dataclass(frozen=True)
class Options:
    """Under which conditions two runs are the same to the bit."""

    out: Path | None = None
    """Folder; by default benchmarks/results/reproducibility-MACHINE-DATE. What it has of others stays."""
    experiments: tuple[str, ...] = EXPERIMENTS
    """What is trained."""
    conditions: tuple[str, ...] = ()
    """Names of conditions to measure; by default all."""
    steps: int = 100
    """Length of each run."""
    python: tuple[str, ...] = ()
    """Other interpreters, with ganjax's dependencies, to compare with this one."""


def main(words: Sequence[str]) -> int:
    """Run the command line `words`; returns 0, or 1 when a run failed.

    Raises:
        UserError: there is no such experiment or condition, or `--steps` is no length.
    """
    options = parse(Options, words, PROG)
    conditions = chosen(options)
    here = machine.describe()
    folder = options.out or ROOT / "benchmarks/results" / (
        f"reproducibility-{machine.slug(here)}-{datetime.date.today()}"
    )
    command = ["python", "-m", "benchmarks", "reproducibility", *without_folders(words)]
    found = report.opened(folder, here, command, options.experiments)
    for experiment in options.experiments:
        with tempfile.TemporaryDirectory() as scratch:
            for row in measured(experiment, options.steps, conditions, Path(scratch)):
                found["rows"].append(row)
                print(report.line(row), flush=True)
                report.save(folder, found)
    print(folder)
    return int(any(row["error"] for row in found["rows"]))


def chosen(options: Options) -> dict[str, Condition]:
    """The conditions asked for, and those they are compared with."""
    from ganjax.experiments import EXPERIMENTS as KNOWN

    for name in options.experiments:
        choose(name, KNOWN, "experiment")
    if options.steps < 2:
        raise UserError(f"--steps must be at least 2, got {options.steps}")
    known = with_interpreters(options.python)
    wanted = {choose(name, known, "condition") for name in options.conditions} or set(known)
    wanted |= {known[name].against for name in wanted}
    return {name: condition for name, condition in known.items() if name in wanted | {USUAL}}


def measured(
    experiment: str, steps: int, conditions: Mapping[str, Condition], scratch: Path
) -> Iterator[dict[str, Any]]:
    """One row of each condition after another, compared with the one it names."""
    done: dict[str, dict[str, Any]] = {}
    for name, condition in conditions.items():
        if experiment not in condition.experiments and experiment in EXPERIMENTS:
            continue
        runs = carried_out(name, condition, experiment, steps, scratch)
        done[name] = runs[0]
        other = None if name == USUAL else done[condition.against]
        # Of two at once the one that is further off counts.
        rows = [report.row(experiment, name, condition, run, other) for run in runs]
        yield max(rows, key=lambda row: row["first_difference"] is not None or row["error"] is not None)


def carried_out(
    name: str, condition: Condition, experiment: str, steps: int, scratch: Path
) -> list[dict[str, Any]]:
    """What the processes said, each with its `folder`, or an `error` of one line."""
    settings = {"experiment": experiment, "steps": steps, **condition.settings}
    if condition.cache:
        settings["compilations"] = str(scratch / condition.cache)
    command = [
        condition.python or sys.executable,
        "-W",
        "ignore",
        "-m",
        "benchmarks.reproducibility.small_run",
    ]
    started = []
    for copy in range(1 + condition.at_once):
        folder = scratch / f"{name}-{copy}"
        folder.mkdir()
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*command, json.dumps(settings), str(folder)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(condition),
            )
        started.append((folder, process))
    return [_said(folder, process) for folder, process in started]


def environment(condition: Condition) -> dict[str, str]:
    """This process's environment, but for what changes how JAX computes; and what the condition adds."""
    ours = ("MALLOC_", "JAX_", "XLA_", "NPROC", "PJRT_NPROC", "PYTHONPATH", "KERAS_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    usual = {
        "PYTHONPATH": str(ROOT),
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return inherited | usual | dict(condition.environment)


def without_folders(words: Sequence[str]) -> list[str]:
    """Absolute paths by their last parts: results are read by others, on other machines."""
    return [Path(word).name if Path(word).is_absolute() else word for word in words]


def _said(folder: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate()
    if process.returncode:
        lines = (folder / "log").read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        return {"folder": folder, "error": f"ended with {process.returncode}: {lines[-1]}"}
    return json.loads(output.splitlines()[-1]) | {"folder": folder, "error": None}
