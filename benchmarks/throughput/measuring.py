"""Timing of one workload in one precision on every path: from a prepared folder to rows of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.throughput import same_work
from benchmarks.throughput.processes import PathProcess
from benchmarks.throughput.results import Row
from benchmarks.throughput.work import Work
from benchmarks.workers import Conditions, WorkerFailed

REFERENCES = ("tensorflow-graph", "tensorflow-xla", "keras-jax", "ganjax-step", "ganjax-chunk")
"""The first of these paths that has done the checked steps is the one with which the others are compared."""

Say = Callable[[str], None]


class Timing(NamedTuple):
    """The number of rounds, and the approximate seconds of each path in a round."""

    rounds: int
    seconds: float


class _Entry:
    """A path with or without deterministic kernels: its row, and its process while it runs."""

    def __init__(self, work: Work, path: str, deterministic: bool):
        spec = work.spec
        self.file = work.folder / f"{path}-{int(deterministic)}.npz"
        self.worker: PathProcess | None = None
        self.row: Row = {
            "workload": spec["workload"],
            "path": path,
            "precision": spec["precision"],
            "deterministic": deterministic,
            "seeds": spec["seeds"],
            "batch": spec["batch"],
            "versions": {},
            "compile_seconds": None,
            "peak_memory_compiling_bytes": None,
            "peak_memory_bytes": None,
            "memory_kind": None,
            "steps_per_round": None,
            "seconds_per_step": [],
            "flops_per_step": spec["flops_per_step"],
            "same_work": {"comparable": None, "reason": "not checked"},
            "error": None,
        }

    @property
    def name(self) -> str:
        return self.row["path"] + " (deterministic)" * self.row["deterministic"]

    def start(self, work: Work, python: str, conditions: Conditions) -> None:
        row = self.row
        environment = conditions.environment(row["precision"], row["deterministic"])
        self.worker = PathProcess(python, row["path"], work.folder, row["deterministic"], environment)

    def greet(self) -> None:
        assert self.worker is not None
        self.row["versions"] = self.worker.hello()["versions"]

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        assert self.worker is not None
        return self.worker.ask(do, **more)

    def seconds_of(self, steps: int) -> float:
        return self.ask("run", steps=steps)["seconds"]

    def fail(self, error: WorkerFailed) -> None:
        self.row["error"] = str(error)
        self.stop()

    def stop(self) -> None:
        if self.worker is not None:
            self.worker.stop()
            self.worker = None


def measure(
    work: Work,
    pythons: dict[str, str],
    conditions: Conditions,
    timing: Timing,
    say: Say,
    *,
    determinisms: Sequence[bool] = (False,),
) -> list[Row]:
    """A row for each path, and for each of `determinisms`.

    The processes of all paths exist at the same time, but only one of them works at any time. Each compiles,
    warms up and does the checked steps. Then every round times each path once, and each round starts with the
    next path. If a path fails, its row has the error; the others continue.

    Args:
        work: the prepared folder.
        pythons: the paths to time, each with its interpreter.
        conditions: of the processes.
        timing: number and length of rounds.
        say: called with lines of progress.
        determinisms: without deterministic kernels (False), with them (True), or both.
    """
    entries = [_Entry(work, path, wanted) for wanted in determinisms for path in pythons]

    def each(do: Callable[[_Entry], None], entries: Sequence[_Entry] = entries) -> None:
        for entry in entries:
            if entry.row["error"] is None:
                try:
                    do(entry)
                except WorkerFailed as error:
                    entry.fail(error)
                    say(f"  {entry.name}: {error}")

    def begin(entry: _Entry) -> None:
        _begin(entry, timing.seconds)
        compiled, steps = entry.row["compile_seconds"], entry.row["steps_per_round"]
        say(f"  {entry.name}: compiled in {compiled:.1f} s, {steps} steps per round")

    try:
        for entry in entries:
            entry.start(work, pythons[entry.row["path"]], conditions)
        each(_Entry.greet)  # all have started before any is timed
        each(begin)
        _compare([entry for entry in entries if entry.row["error"] is None], work)
        for number in range(timing.rounds):
            first = number % len(entries)
            each(_time, entries[first:] + entries[:first])
    finally:
        for entry in entries:
            entry.stop()
    return [entry.row for entry in entries]


def _begin(entry: _Entry, seconds: float) -> None:
    """Compile, choose the number of steps in a round, and do the checked steps.

    Memory is read twice: after compiling, and after training. Both times are before the checked steps, which
    some paths compile separately.
    """
    row = entry.row
    row["compile_seconds"] = entry.ask("compile")["seconds"]
    row["peak_memory_compiling_bytes"] = entry.ask("memory")["bytes"]
    entry.ask("run", steps=1)
    entry.ask("settle")
    row["steps_per_round"] = _calibrated(entry.seconds_of, seconds)
    memory = entry.ask("memory")
    row["peak_memory_bytes"], row["memory_kind"] = memory["bytes"], memory["kind"]
    entry.ask("check", file=str(entry.file), perturbed=False)


def _calibrated(seconds_of: Callable[[int], float], seconds: float) -> int:
    """A number of steps that take about this many seconds."""
    steps = max(1, int(seconds / seconds_of(1)))
    if steps > 1:  # the first estimate is from a single step, which may be slower
        steps = max(1, round(steps * seconds / seconds_of(steps)))
    return steps


def _compare(entries: list[_Entry], work: Work) -> None:
    """Compare the checked steps, and write `same_work` into the rows."""
    for reference in sorted(entries, key=lambda entry: REFERENCES.index(entry.row["path"])):
        perturbed = work.folder / "perturbed.npz"
        try:
            reference.ask("check", file=str(perturbed), perturbed=True)
            break
        except WorkerFailed as error:
            reference.fail(error)
    else:
        return
    entries = [entry for entry in entries if entry.row["error"] is None]
    spec = work.spec
    checked = same_work.Checked(
        _arrays(reference.file), _arrays(perturbed), work.initial, spec["trained"], spec["precision"]
    )
    for entry in entries:
        found = same_work.compare(_arrays(entry.file), checked) | {"reference": reference.name}
        if len(entries) == 1:
            found |= {"comparable": None, "reason": "no other path to compare it with"}
        entry.row["same_work"] = found


def _arrays(file: Path) -> dict[str, np.ndarray]:
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _time(entry: _Entry) -> None:
    steps = entry.row["steps_per_round"]
    entry.row["seconds_per_step"].append(entry.seconds_of(steps) / steps)
