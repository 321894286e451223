"""`python -m benchmarks toy-tables`: recipes on landscapes, over seeds, beside what is published of them."""

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
from benchmarks.reproducibility.command import without_folders
from benchmarks.workers import ROOT, WorkerProcess
from benchmarks.toy_tables import picture, plan, report
from benchmarks.toy_tables.kept import Kept, Row
from benchmarks.toy_tables.plan import PERFECT, PROG, Group
from benchmarks.toy_tables.pool import Pool, Tasks, at_work
from ganjax.cli.parsing import parse
from ganjax.experiments import LANDSCAPES
from ganjax.system.errors import UserError
from ganjax.system.files import atomic
from ganjax.system.process import cores

SCHEMA = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Toy recipes on toy landscapes: modes, quality and distribution of their samples over many seeds.

    python -m benchmarks toy-tables --quick

    python -m benchmarks toy-tables --recipes ours --landscapes ring grid grid-100 --seeds 10

    python -m benchmarks toy-tables --vary penalty .01 .1 1 --vary batch 128 256 --seeds 4

    Runs are kept as they finish: the same command goes on where it was stopped, and a run with the same
    settings, in whichever table, is not made again. Exits with 1 when something could not be measured.
    """

    recipes: tuple[str, ...] = ()
    """Published ones, as `ganjax train --help` lists them, or "ours", the landscapes' own; by default all."""
    landscapes: tuple[str, ...] = ("ring", "grid")
    """On which."""
    seeds: int = 10
    """Seeds 0 to this less one."""
    steps: str = "published"
    """"published"; "quick", for each published recipe the part of its steps that takes about a minute; a
    fraction as in 1/20, of every published recipe's steps; or a number, for every recipe. Ours is trained
    whole, but for a number."""
    quick: bool = False
    """The same as --steps quick."""
    samples: int = 2500
    """By how many samples each run is measured."""
    vary: tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]] = ()
    """A sweep: a setting of the recipe and its values, as in --vary penalty .01 .1 1; again for another one,
    and every combination is run."""
    jobs: int | None = None
    """Processes; by default one a core, each with one thread on a core of its own (one, on a GPU)."""
    device: Literal["cpu", "gpu"] = "cpu"
    """On gpu, all seeds of a recipe are trained as one population."""
    remeasure: bool = False
    """Measure runs that are kept again: their samples are kept too."""
    runs: Path = Path("runs/toy-tables")
    """Where runs are kept."""
    out: Path | None = None
    """Folder for table.json, table.md, table.png; by default benchmarks/results/toy-tables-MACHINE-DATE."""


@dataclasses.dataclass(frozen=True)
class Task:
    """Seeds of a group that one question is about."""

    group: Group
    seeds: tuple[int, ...]


def main(words: Sequence[str]) -> int:
    """Run the command line `words`; returns 0, or 1 when something could not be measured.

    Raises:
        UserError: a mistake the user can mend.
    """
    begun, options = time.perf_counter(), parse(Options, words, PROG)
    groups = checked(options)
    here = machine.describe(0 if options.device == "gpu" else None)
    out = options.out or ROOT / "benchmarks/results" / (
        f"{'toy-sweep' if options.vary else 'toy-tables'}-{machine.slug(here)}-{datetime.date.today()}"
    )
    jobs = options.jobs or (1 if options.device == "gpu" else cores())
    kept = Kept(options.runs)
    with at_work(jobs, options.device, options.samples, options.runs) as pool:
        table = _Table(groups, options, kept)
        failed = table.fill(pool)
        versions = dict(pool.hello.get("versions", {}))
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "command": ["python", "-m", "benchmarks", "toy-tables", *without_folders(words)],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": time.perf_counter() - begun,
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
    save(out, found, _picture(out, groups, kept, options))
    print(f"{out}")
    return int(bool(failed))


def checked(options: Options) -> list[Group]:
    """The groups that `options` ask for.

    Raises:
        UserError: they make no sense.
    """
    if not 1 <= options.seeds <= 10_000:
        raise UserError(f"--seeds must be from 1 to 10000, got {options.seeds}")
    if not 100 <= options.samples <= 1_000_000:
        raise UserError(f"--samples must be from 100 to 1000000, got {options.samples}")
    if options.jobs is not None and not 1 <= options.jobs <= 1024:
        raise UserError(f"--jobs must be from 1 to 1024, got {options.jobs}")
    if options.quick and options.steps != "published":
        raise UserError("--quick is --steps quick: give one of the two")
    steps = "quick" if options.quick else options.steps
    return plan.plan(options.recipes, options.landscapes, steps, options.vary)


class _Table:
    """Which runs a table needs, which there are, and how the others come about."""

    def __init__(self, groups: Sequence[Group], options: Options, kept: Kept) -> None:
        self.groups, self.options, self.kept = groups, options, kept
        self.seeds = tuple(range(options.seeds))
        self.together = len(self.seeds) if options.device == "gpu" else 1
        self.made = 0

    def fill(self, pool: Pool) -> dict[int, str]:
        """Check what is kept, make the rest; returns by group why it could not be measured."""
        known = [(i, Task(group, ())) for i, group in enumerate(self.groups) if any(self._kept(i))]
        tasks = Tasks(known)
        pool.run(tasks, self._check)
        failed = dict(tasks.failed)
        if self.options.remeasure:
            again = Tasks(
                (i, Task(self.groups[i], (seed,)))
                for i, _ in known
                for seed, row in zip(self.seeds, self._kept(i), strict=True)
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
        """All runs there are, by group and seed."""
        return [
            {"group": i, **{name: value for name, value in row.items() if name != "identity"}}
            for i in range(len(self.groups))
            for row in self._kept(i)
            if row
        ]

    def versions(self) -> list[dict[str, str]]:
        """The different versions that runs were made with."""
        every = [row["versions"] for row in self.rows()]
        return [each for i, each in enumerate(every) if each not in every[:i]] or [{}]

    def _identity(self, group: int, seed: int) -> str:
        return self.groups[group].identity(seed, self.options.samples, self.together)

    def _kept(self, group: int) -> list[Row | None]:
        """For each seed its run, or None."""
        return [self.kept.find(self._identity(group, seed)) for seed in self.seeds]

    def _missing(self, group: int) -> list[Task]:
        seeds = tuple(seed for seed, row in zip(self.seeds, self._kept(group), strict=True) if not row)
        if self.together > 1:
            return [Task(self.groups[group], self.seeds)] if seeds else []
        return [Task(self.groups[group], (seed,)) for seed in seeds]

    def _question(self, group: int, task: Task) -> dict[str, Any]:
        files = [str(self.kept.samples(self._identity(group, seed)).absolute()) for seed in task.seeds]
        return {"group": dataclasses.asdict(task.group), "seeds": list(task.seeds), "files": files}

    def _check(self, worker: WorkerProcess, group: int, task: Task) -> None:
        """Whether the kept runs are of the program that would be run now: the code may be another one."""
        seeds = self.seeds if self.together > 1 else (0,)
        asked = {"group": dataclasses.asdict(task.group), "seeds": seeds}
        program = worker.ask("program", **asked)["program"]
        if any(row["program"] != program for row in self._kept(group) if row):
            for seed in self.seeds:
                self.kept.forget(self._identity(group, seed))
            print(f"{task.group.title}, {task.group.landscape}: the code has changed: run again", flush=True)

    def _measure(self, worker: WorkerProcess, group: int, task: Task) -> None:
        answer = worker.ask("measure", **self._question(group, task))
        for seed, measures in zip(task.seeds, answer["runs"], strict=True):
            identity = self._identity(group, seed)
            self.kept.add(identity, {**(self.kept.find(identity) or {}), **measures})

    def _train(self, worker: WorkerProcess, group: int, task: Task) -> None:
        begun = time.perf_counter()
        answer = worker.ask("train", **self._question(group, task))
        seconds = (time.perf_counter() - begun) / len(task.seeds)
        for i, (seed, run) in enumerate(zip(task.seeds, answer["runs"], strict=True)):
            about = {
                "recipe": task.group.recipe,
                "landscape": task.group.landscape,
                "program": answer["program"],
                "versions": answer["versions"],
                "seconds": seconds,
                "compile_seconds": answer["compile_seconds"] if i == 0 else 0.0,
            }
            row = self.kept.add(self._identity(group, seed), about | run)
            self.made += 1
            print(line(task.group, row), flush=True)


def line(group: Group, row: Mapping[str, Any]) -> str:
    """A run in one line, for a terminal."""
    its = report.summary([row])
    names = report.MEASURES
    said = [f"{names[name][0]} {figure.mean:.{names[name][2]}f}" for name, figure in its.figures.items()]
    said += [
        "p -" if row["energy_p"] is None else f"p {row['energy_p']:.2f}",
        f"{row['train_seconds']:.1f} s",
    ]
    if row["diverged_at"]:
        said.append(f"diverged in step {row['diverged_at']}")
    return f"{group.title}, {group.landscape}, seed {row['seed']}: {', '.join(said)}"


def save(out: Path, found: Mapping[str, Any], picture: str | None) -> None:
    """Write `table.json`, a line for each run, and `table.md` into the folder, which is made if need be."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [f"  {json.dumps(name)}: {json.dumps(part)}" for name, part in found.items() if name != "runs"]
    runs = ",\n".join(f"    {json.dumps(run)}" for run in found["runs"])
    summaries = [
        {"title": group["title"], "landscape": group["landscape"], **_plain(its)}
        for group, its in report.summaries(found)
    ]
    lines.append(f'  "summaries": {json.dumps(summaries)}')
    with atomic(out / "table.json") as path:
        path.write_text("{\n" + ",\n".join([*lines, f'  "runs": [\n{runs}\n  ]']) + "\n}\n")
    text = report.report(found, picture)
    with atomic(out / "table.md") as path:
        path.write_text(text)
    print(text)


def _plain(its: report.Summary) -> dict[str, Any]:
    """As JSON values."""
    figures = {name: dataclasses.asdict(figure) for name, figure in its.figures.items()}
    return its._asdict() | {"figures": figures, "seconds": dataclasses.asdict(its.seconds)}


def _picture(out: Path, groups: Sequence[Group], kept: Kept, options: Options) -> str | None:
    """Draw the first seed of every group; returns the file's name, or None where there is nothing to draw."""
    together = options.seeds if options.device == "gpu" else 1
    runs: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for group in groups:
        identity = group.identity(0, options.samples, together)
        if kept.find(identity):
            with np.load(kept.samples(identity), allow_pickle=False) as arrays:
                runs[group.title, group.landscape] = dict(arrays)
    titles = [title for title in dict.fromkeys(group.title for group in groups) if title != PERFECT]
    columns = {group.landscape: LANDSCAPES[group.landscape].extent for group in groups}
    if not runs:
        return None
    return picture.draw(out / "table.png", titles, columns, runs).name
