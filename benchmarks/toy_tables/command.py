"""`python -m benchmarks toy-tables`: scores of toy recipes over many seeds, beside published ones; sweeps."""

from __future__ import annotations

import dataclasses
import datetime
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

from benchmarks import machine
from benchmarks.toy_tables import picture, plan, report
from benchmarks.toy_tables.plan import PERFECT, PROG, Group
from benchmarks.toy_tables.pool import Pool, Tasks, worker_pool
from benchmarks.toy_tables.run_store import Row, RunStore
from benchmarks.workers import ROOT, WorkerProcess
from ganjax.cli.parsing import parse
from ganjax.experiments import LANDSCAPES
from ganjax.system.errors import UserError
from ganjax.system.files import atomic
from ganjax.system.process import cores

SCHEMA = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Train toy recipes on toy landscapes with many seeds, and measure modes and distribution of their
    samples.

    python -m benchmarks toy-tables --quick

    python -m benchmarks toy-tables --recipes ours --landscapes ring grid grid-100 --seeds 10

    python -m benchmarks toy-tables --vary penalty .01 .1 1 --vary batch 128 256 --seeds 4

    Finished runs are saved: the same command continues where it was stopped, and runs with the same settings
    are used again, in other tables too. The exit code is 1 if something could not be measured.
    """

    recipes: tuple[str, ...] = ()
    """Published recipes, as listed by `ganjax train --help`, or "ours" for those of the landscapes; by
    default all."""
    landscapes: tuple[str, ...] = ("ring", "grid")
    """Landscapes (real distributions) to train on."""
    seeds: int = 10
    """Number of seeds, from 0 on."""
    steps: str = "published"
    """"published"; "quick" for the part of its steps that takes each published recipe about a minute; a
    fraction such as 1/20 of the published steps; or a number of steps for every recipe. "ours" is trained for
    all its steps unless a number is given."""
    quick: bool = False
    """The same as --steps quick."""
    samples: int = 2500
    """Number of samples by which each run is measured."""
    vary: tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]] = ()
    """A sweep: a setting of the recipe followed by its values, as in --vary penalty .01 .1 1. With several
    --vary, every combination is run."""
    jobs: int | None = None
    """Number of processes; by default one for each core, each with a single thread (one process on a GPU)."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Device to train on; on a GPU, all seeds of a recipe are trained as one population."""
    remeasure: bool = False
    """Measure the saved samples of finished runs again."""
    runs: Path = Path("runs/toy-tables")
    """Folder for finished runs."""
    out: Path | None = None
    """Folder for table.json, table.md, table.png; by default benchmarks/results/toy-tables-MACHINE-DATE."""


@dataclasses.dataclass(frozen=True)
class Task:
    """The seeds of a group that are requested together."""

    group: Group
    seeds: tuple[int, ...]


def main(words: Sequence[str]) -> int:
    """Run the command; returns 0, or 1 if something could not be measured.

    Raises:
        UserError: options are wrong.
    """
    start, options = time.perf_counter(), parse(Options, words, PROG)
    groups = checked(options)
    here = machine.describe(0 if options.device == "gpu" else None)
    out = options.out or ROOT / "benchmarks/results" / (
        f"{'toy-sweep' if options.vary else 'toy-tables'}-{machine.slug(here)}-{datetime.date.today()}"
    )
    jobs = options.jobs or (1 if options.device == "gpu" else cores())
    store = RunStore(options.runs)
    with worker_pool(jobs, options.device, options.samples, options.runs) as pool:
        table = _Table(groups, options, store)
        failed = table.fill(pool)
        versions = dict(pool.hello.get("versions", {}))
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "command": machine.command_line("toy-tables", words),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": time.perf_counter() - start,
        "machine": here,
        "versions": versions or table.versions()[0],
        "programs": [", ".join(map(" ".join, each.items())) for each in table.versions()],
        "settings": {
            "steps": "quick" if options.quick else options.steps,
            "seeds": options.seeds,
            "samples": options.samples,
            "vary": [list(each) for each in options.vary],
            "jobs": jobs,
            "device": options.device,
        },
        "made": table.made,
        "groups": [dataclasses.asdict(group) for group in groups],
        "notes": [f"{groups[i].title} on {groups[i].landscape}: {why}" for i, why in failed.items()],
        "runs": table.rows(),
    }
    save(out, found, _picture(out, groups, store, options))
    print(f"{out}")
    return int(bool(failed))


def checked(options: Options) -> list[Group]:
    """The groups that `options` request.

    Raises:
        UserError: options are wrong.
    """
    if not 1 <= options.seeds <= 10_000:
        raise UserError(f"--seeds must be from 1 to 10000, got {options.seeds}")
    if not 100 <= options.samples <= 1_000_000:
        raise UserError(f"--samples must be from 100 to 1000000, got {options.samples}")
    if options.jobs is not None and not 1 <= options.jobs <= 1024:
        raise UserError(f"--jobs must be from 1 to 1024, got {options.jobs}")
    if options.quick and options.steps != "published":
        raise UserError("--quick means --steps quick: give only one of --quick and --steps")
    steps = "quick" if options.quick else options.steps
    return plan.plan(options.recipes, options.landscapes, steps, options.vary)


class _Table:
    """The runs of a table: those in the store, and those that are missing and must be made."""

    def __init__(self, groups: Sequence[Group], options: Options, store: RunStore) -> None:
        self.groups, self.options, self.store = groups, options, store
        self.seeds = tuple(range(options.seeds))
        self.together = len(self.seeds) if options.device == "gpu" else 1
        self.made = 0

    def fill(self, pool: Pool) -> dict[int, str]:
        """Check the stored runs and make the missing ones; returns group -> why it could not be measured."""
        known = [(i, Task(group, ())) for i, group in enumerate(self.groups) if any(self._stored(i))]
        tasks = Tasks(known)
        pool.run(tasks, self._check)
        failed = dict(tasks.failed)
        if self.options.remeasure:
            again = Tasks(
                (i, Task(self.groups[i], (seed,)))
                for i, _ in known
                for seed, row in zip(self.seeds, self._stored(i), strict=True)
                if row and i not in failed
            )
            pool.run(again, self._measure)
            failed |= again.failed
        missing = Tasks(
            (i, task) for i in range(len(self.groups)) if i not in failed for task in self._missing(i)
        )
        pool.run(missing, self._train)
        return failed | missing.failed

    def rows(self) -> list[Row]:
        """All runs, by group and seed."""
        return [
            {"group": i, **{name: value for name, value in row.items() if name != "identity"}}
            for i in range(len(self.groups))
            for row in self._stored(i)
            if row
        ]

    def versions(self) -> list[dict[str, str]]:
        """The different versions with which runs were made."""
        every = [row["versions"] for row in self.rows()]
        return [each for i, each in enumerate(every) if each not in every[:i]] or [{}]

    def _identity(self, group: int, seed: int) -> str:
        return self.groups[group].identity(seed, self.options.samples, self.together)

    def _stored(self, group: int) -> list[Row | None]:
        """The stored run of each seed, or None."""
        return [self.store.find(self._identity(group, seed)) for seed in self.seeds]

    def _missing(self, group: int) -> list[Task]:
        seeds = tuple(seed for seed, row in zip(self.seeds, self._stored(group), strict=True) if not row)
        if self.together > 1:
            return [Task(self.groups[group], self.seeds)] if seeds else []
        return [Task(self.groups[group], (seed,)) for seed in seeds]

    def _request(self, group: int, task: Task) -> dict[str, Any]:
        files = [str(self.store.samples(self._identity(group, seed)).absolute()) for seed in task.seeds]
        return {"group": dataclasses.asdict(task.group), "seeds": list(task.seeds), "files": files}

    def _check(self, worker: WorkerProcess, group: int, task: Task) -> None:
        """Forget stored runs whose program differs from the one that would be run now."""
        seeds = self.seeds if self.together > 1 else (0,)
        request = {"group": dataclasses.asdict(task.group), "seeds": seeds}
        program = worker.ask("program", **request)["program"]
        if any(row["program"] != program for row in self._stored(group) if row):
            for seed in self.seeds:
                self.store.forget(self._identity(group, seed))
            print(f"{task.group.title}, {task.group.landscape}: the code has changed: run again", flush=True)

    def _measure(self, worker: WorkerProcess, group: int, task: Task) -> None:
        answer = worker.ask("measure", **self._request(group, task))
        for seed, measures in zip(task.seeds, answer["runs"], strict=True):
            identity = self._identity(group, seed)
            self.store.add(identity, {**(self.store.find(identity) or {}), **measures})

    def _train(self, worker: WorkerProcess, group: int, task: Task) -> None:
        start = time.perf_counter()
        answer = worker.ask("train", **self._request(group, task))
        seconds = (time.perf_counter() - start) / len(task.seeds)
        for i, (seed, run) in enumerate(zip(task.seeds, answer["runs"], strict=True)):
            about = {
                "recipe": task.group.recipe,
                "landscape": task.group.landscape,
                "program": answer["program"],
                "versions": answer["versions"],
                "seconds": seconds,
                "compile_seconds": answer["compile_seconds"] if i == 0 else 0.0,
            }
            row = self.store.add(self._identity(group, seed), about | run)
            self.made += 1
            print(line(task.group, row), flush=True)


def line(group: Group, row: Mapping[str, Any]) -> str:
    """A run in one line, for a terminal."""
    summary = report.summary([row])
    names = report.MEASURES
    words = [f"{names[name][0]} {figure.mean:.{names[name][2]}f}" for name, figure in summary.figures.items()]
    words += [
        "p -" if row["energy_p"] is None else f"p {row['energy_p']:.2f}",
        f"{row['train_seconds']:.1f} s",
    ]
    if row["diverged_at"]:
        words.append(f"diverged in step {row['diverged_at']}")
    return f"{group.title}, {group.landscape}, seed {row['seed']}: {', '.join(words)}"


def save(out: Path, found: Mapping[str, Any], picture: str | None) -> None:
    """Write `table.json`, with one line for each run, and `table.md` into the folder, made if needed."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [f"  {json.dumps(name)}: {json.dumps(part)}" for name, part in found.items() if name != "runs"]
    runs = ",\n".join(f"    {json.dumps(run)}" for run in found["runs"])
    summaries = [
        {"title": group["title"], "landscape": group["landscape"], **_plain(summary)}
        for group, summary in report.summaries(found)
    ]
    lines.append(f'  "summaries": {json.dumps(summaries)}')
    with atomic(out / "table.json") as path:
        path.write_text("{\n" + ",\n".join([*lines, f'  "runs": [\n{runs}\n  ]']) + "\n}\n")
    text = report.report(found, picture)
    with atomic(out / "table.md") as path:
        path.write_text(text)
    print(text)


def _plain(summary: report.Summary) -> dict[str, Any]:
    """The summary as JSON values."""
    figures = {name: dataclasses.asdict(figure) for name, figure in summary.figures.items()}
    return summary._asdict() | {"figures": figures, "seconds": dataclasses.asdict(summary.seconds)}


def _picture(out: Path, groups: Sequence[Group], store: RunStore, options: Options) -> str | None:
    """Draw the first seed of every group; returns the file's name, or None if there is nothing to draw."""
    together = options.seeds if options.device == "gpu" else 1
    runs: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for group in groups:
        identity = group.identity(0, options.samples, together)
        if store.find(identity):
            with np.load(store.samples(identity), allow_pickle=False) as arrays:
                runs[group.title, group.landscape] = dict(arrays)
    titles = [title for title in dict.fromkeys(group.title for group in groups) if title != PERFECT]
    columns = {group.landscape: LANDSCAPES[group.landscape].extent for group in groups}
    if not runs:
        return None
    return picture.draw(out / "table.png", titles, columns, runs).name
