"""`python -m benchmarks reproducibility`: which conditions leave a run the same bit for bit.

Short runs of a few experiments are made under each of the conditions in conditions.py, each in a new process
(small_run.py), and compared with the usual run: digests of the state at some steps, arrays after the first
and the last step, and scores.
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
    """Find out which conditions leave a run the same bit for bit.

    python -m benchmarks reproducibility

    python -m benchmarks reproducibility --experiments ring --conditions threads-1 threads-4
    """

    out: Path | None = None
    """Folder for results.json and README.md; results of other experiments in it are kept. By default
    benchmarks/results/reproducibility-MACHINE-DATE."""
    experiments: tuple[str, ...] = EXPERIMENTS
    """Experiments to train."""
    conditions: tuple[str, ...] = ()
    """Names of conditions to measure; by default all."""
    steps: int = 100
    """Steps of each run."""
    python: tuple[str, ...] = ()
    """Other Python interpreters, with ganjax's dependencies installed, to compare with this one."""


def main(words: Sequence[str]) -> int:
    """Run the command; returns 0, or 1 if a run failed.

    Raises:
        UserError: there is no such experiment or condition, or `--steps` is too small.
    """
    options = parse(Options, words, PROG)
    conditions = chosen(options)
    here = machine.describe()
    folder = options.out or ROOT / "benchmarks/results" / (
        f"reproducibility-{machine.slug(here)}-{datetime.date.today()}"
    )
    command = machine.command_line("reproducibility", words)
    found = report.load(folder, here, command, options.experiments)
    for experiment in options.experiments:
        with tempfile.TemporaryDirectory() as scratch:
            for row in measure(experiment, options.steps, conditions, Path(scratch)):
                found["rows"].append(row)
                print(report.line(row), flush=True)
                report.save(folder, found)
    print(folder)
    return int(any(row["error"] for row in found["rows"]))


def chosen(options: Options) -> dict[str, Condition]:
    """The requested conditions, and those with which they are compared."""
    from ganjax.experiments import EXPERIMENTS as KNOWN

    for name in options.experiments:
        choose(name, KNOWN, "experiment")
    if options.steps < 2:
        raise UserError(f"--steps must be at least 2, got {options.steps}")
    known = with_interpreters(options.python)
    wanted = {choose(name, known, "condition") for name in options.conditions} or set(known)
    wanted |= {known[name].against for name in wanted}
    return {name: condition for name, condition in known.items() if name in wanted | {USUAL}}


def measure(
    experiment: str, steps: int, conditions: Mapping[str, Condition], scratch: Path
) -> Iterator[dict[str, Any]]:
    """A row for each condition, which compares its run with that of another condition."""
    done: dict[str, dict[str, Any]] = {}
    for name, condition in conditions.items():
        if experiment not in condition.experiments and experiment in EXPERIMENTS:
            continue
        runs = run_condition(name, condition, experiment, steps, scratch)
        done[name] = runs[0]
        other = None if name == USUAL else done[condition.against]
        # Of two runs at the same time, a different or failed one counts.
        rows = [report.row(experiment, name, condition, run, other) for run in runs]
        yield max(rows, key=lambda row: row["first_difference"] is not None or row["error"] is not None)


def run_condition(
    name: str, condition: Condition, experiment: str, steps: int, scratch: Path
) -> list[dict[str, Any]]:
    """Run the processes of a condition; returns the output of each, its `folder`, and its `error` or None."""
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
    return [_output(folder, process) for folder, process in started]


def environment(condition: Condition) -> dict[str, str]:
    """A run's environment: this process's without variables that change JAX, plus the condition's."""
    excluded = ("MALLOC_", "JAX_", "XLA_", "NPROC", "PJRT_NPROC", "PYTHONPATH", "KERAS_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(excluded)}
    usual = {
        "PYTHONPATH": str(ROOT),
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return inherited | usual | dict(condition.environment)


def _output(folder: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate()
    if process.returncode:
        lines = (folder / "log").read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
        return {"folder": folder, "error": f"ended with {process.returncode}: {lines[-1]}"}
    return json.loads(output.splitlines()[-1]) | {"folder": folder, "error": None}
