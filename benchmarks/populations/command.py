"""`python -m benchmarks populations`: the time to train many seeds together, or one after another."""

from __future__ import annotations

import dataclasses
import datetime
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import tyro

from benchmarks import machine
from benchmarks.populations import report
from benchmarks.throughput import results
from benchmarks.workers import ROOT, Conditions, WorkerFailed, WorkerProcess
from ganjax.cli.parsing import choose, parse
from ganjax.experiments import LANDSCAPES
from ganjax.system.errors import UserError

PROG = "python -m benchmarks populations"
SCHEMA = "populations 1"
MOST_SEEDS = 4096
CLOSE = 1e-3  # largest relative difference of a seed's first losses in two ways of training


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is trained: an experiment, the settings that are changed, and the number of steps."""

    experiment: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    steps: int = 100


WORKLOADS = {name: Workload(name) for name in LANDSCAPES} | {
    # Its steps are so short that most of their time is overhead, which a population shares.
    "ring-16": Workload("ring", {"width": 16, "batch": 64}, 2000),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Measure the time to train 1, 4, 16 and 64 seeds of a toy GAN, as one population and one after another.

    python -m benchmarks populations

    python -m benchmarks populations ring ring-16 --rounds 5

    Each way of training has its own process, which compiles and warms up first; then rounds alternate between
    the processes. The exit code is 1 if a process failed, or did not do the same work as the others.
    """

    workloads: tyro.conf.Positional[tuple[str, ...]] = ("ring",)
    """Toy experiments with their own settings, or ring-16: the ring with MLPs 3x16 and batches of 64."""
    seeds: tuple[int, ...] = (1, 4, 16, 64)
    """Numbers of seeds, each measured separately."""
    alone: int = 4
    """Train at most this many seeds one after another; the time of more is extrapolated."""
    steps: int | None = None
    """Steps of each seed; by default 100, and 2000 for ring-16."""
    rounds: int = 3
    """Number of rounds; each times every way of training once."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Device to train on."""
    quick: bool = False
    """Only check that the command works: the same as --seeds 1 3 --alone 2 --steps 10 --rounds 1."""
    out: Path | None = None
    """Folder for results.json and README.md; by default benchmarks/results/populations-MACHINE-DATE."""


Say = Callable[[str], None]


def main(words: Sequence[str]) -> int:
    """Run the command; returns 0, or 1 if a process failed or did other work.

    Raises:
        UserError: options are wrong.
    """
    options = checked(parse(Options, words, PROG))
    here = machine.describe(0 if options.device == "gpu" else None)
    name = f"populations-{machine.slug(here)}-{datetime.date.today().isoformat()}"
    folder = options.out or ROOT / "benchmarks" / "results" / name
    print(machine.sentence(here), flush=True)
    found: results.Results = {
        "schema": SCHEMA,
        "command": machine.command_line("populations", words),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "machine": here,
        # Before anything is started: the load of other programs.
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "settings": {"rounds": options.rounds, "alone": options.alone, "device": options.device},
        "versions": {},
        "rows": [],
    }
    for rows, versions in measured(options, lambda line: print(line, flush=True)):
        found["rows"] += rows
        found["versions"] = versions or found["versions"]
        results.save(folder, found)
        report.save(folder, found)
    print(report.terminal(found), f"\n{folder}")
    return int(any(row["error"] for row in found["rows"]))


def checked(options: Options) -> Options:
    """The options after `quick` has been applied.

    Raises:
        UserError: they are wrong.
    """
    for name in options.workloads:
        choose(name, WORKLOADS, "workload")
    if options.quick:
        options = dataclasses.replace(options, seeds=(1, 3), alone=2, steps=10, rounds=1)
    if not options.workloads or not options.seeds:
        raise UserError("at least one workload and one number of seeds are needed")
    for flag, value, most in (
        *(("seeds", count, MOST_SEEDS) for count in options.seeds),
        ("alone", options.alone, MOST_SEEDS),
        ("steps", 1 if options.steps is None else options.steps, 10**6),
        ("rounds", options.rounds, results.MOST_ROUNDS),
    ):
        if not 1 <= value <= most:
            raise UserError(f"--{flag} must be from 1 to {most}, got {value}")
    return options


def measured(options: Options, say: Say) -> Iterator[tuple[list[results.Row], dict[str, str]]]:
    """The rows of each workload and number of seeds, and the versions they were measured with."""
    for name in options.workloads:
        for seeds in options.seeds:
            say(f"{name}, {seeds} seeds")
            with tempfile.TemporaryDirectory() as temporary:
                ways = Ways(name, seeds, options, Path(temporary), say)
                try:
                    yield ways.rows(), ways.versions
                finally:
                    ways.stop()


class Ways:
    """The ways of training some seeds of a workload. Each has its own process, and only one works at a time.

    Args:
        name: name of the workload.
        seeds: number of seeds.
        options: of the command.
        folder: for the log files of the processes.
        say: called with lines of progress.
    """

    def __init__(self, name: str, seeds: int, options: Options, folder: Path, say: Say) -> None:
        self.name, self.seeds, self.options, self.folder, self.say = name, seeds, options, folder, say
        self.workload = WORKLOADS[name]
        self.steps = options.steps or self.workload.steps
        self.versions: dict[str, str] = {}
        self._started: list[tuple[results.Row, WorkerProcess]] = []

    def rows(self) -> list[results.Row]:
        """A row for each way: one after another, a population with its own choice of groups, all at once."""
        alone = self._row(0)
        rows = [alone, chosen := self._row(None)]
        if chosen["group"] not in (None, self.seeds):
            rows.append(self._row(self.seeds))
        for row in rows:
            self._compare(row, alone)
        for number in range(self.options.rounds):
            first = number % len(rows)
            for row in rows[first:] + rows[:first]:
                self._ask(row, lambda row, worker: row["seconds"].append(worker.ask("run")["seconds"]))
        for row in rows:
            self._ask(row, _remember_memory)
            times = ", ".join(f"{seconds:.3g}" for seconds in row["seconds"])
            self.say(f"  {report.way(row)}: {row['trained']} seeds in {times} s")
        return rows

    def stop(self) -> None:
        """Kill all processes, whatever they are doing."""
        for _, worker in self._started:
            worker.stop()

    def _row(self, group: int | None) -> results.Row:
        """Start a process, let it compile and warm up, and return its row, with an error if that failed."""
        trained = min(self.seeds, self.options.alone) if group == 0 else self.seeds
        row: results.Row = {
            "workload": self.name,
            "seeds": self.seeds,
            "steps": self.steps,
            "way": "one after another" if group == 0 else "population",
            "chosen": group is None,
            "trained": trained,
            "group": group,
            "compile_seconds": None,
            "seconds": [],
            "peak_memory_bytes": None,
            "memory_kind": None,
            "first_losses": [],
            "error": None,
        }
        conditions = Conditions(self.options.device, one_arena=False)
        worker = WorkerProcess(
            [sys.executable, "-m", "benchmarks.populations.worker", self.options.device],
            self.folder / f"{len(self._started)}.log",
            conditions.environment("float32", False),
            ROOT,
        )
        self._started.append((row, worker))

        def begin(row: results.Row, worker: WorkerProcess) -> None:
            self.versions = worker.hello()["versions"]
            found = worker.ask(
                "begin",
                experiment=self.workload.experiment,
                settings=dict(self.workload.settings),
                steps=self.steps,
                seeds=trained,
                group=group,
            )
            row["compile_seconds"], row["group"] = found["compile_seconds"], found["group"]
            row["first_losses"] = found["losses"]
            self.say(f"  {report.way(row)}: compiled in {row['compile_seconds']:.1f} s")

        self._ask(row, begin)
        return row

    def _ask(self, row: results.Row, do: Callable[[results.Row, WorkerProcess], None]) -> None:
        """Call `do(row, its process)` unless the process has failed; if it fails now, the row says so."""
        (worker,) = (worker for each, worker in self._started if each is row)
        if row["error"] is None:
            try:
                do(row, worker)
            except WorkerFailed as error:
                row["error"] = str(error)
                self.say(f"  {report.way(row)}: {error}")

    def _compare(self, row: results.Row, alone: results.Row) -> None:
        """Note an error in the row if first losses differ between the two ways by more than rounding."""
        for one, other in zip(row["first_losses"], alone["first_losses"], strict=False):
            if not abs(one - other) <= CLOSE * abs(other) and row["error"] is None:
                row["error"] = f"other work: a first loss of {one:.6g}, but {other:.6g} one after another"


def _remember_memory(row: results.Row, worker: WorkerProcess) -> None:
    found = worker.ask("memory")
    row["peak_memory_bytes"], row["memory_kind"] = found["bytes"], found["kind"]
