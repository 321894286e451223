"""The conditions under which a run is repeated; each differs from the usual ones in one respect."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

USUAL = "usual"
EXPERIMENTS = ("original-toy", "ring", "cartoon")
_POINTS = ("original-toy", "ring")  # experiments on pictures are never trained as a population
_NO_YNNPACK = "--xla_cpu_experimental_ynn_fusion_type="


@dataclasses.dataclass(frozen=True)
class Condition:
    """One way to make a run.

    Attributes:
        title: the difference in words, for the table.
        settings: of a `SmallRun`, except for the experiment and its length.
        environment: variables in addition to those of the usual run.
        at_once: whether two such processes run at the same time.
        cache: name of a folder for the compilation cache, shared by conditions that name it; None for none.
        python: interpreter; by default the one that runs the command.
        against: name of the condition with which it is compared.
        experiments: those for which it is measured.
    """

    title: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    at_once: bool = False
    cache: str | None = None
    python: str | None = None
    against: str = USUAL
    experiments: tuple[str, ...] = EXPERIMENTS


def _instructions(name: str) -> Condition:
    title = f"no instructions beyond {name}, on the same processor"
    return Condition(title, environment={"XLA_FLAGS": f"--xla_cpu_max_isa={name}"})


def _threads(count: int, flags: str = "", **more: Any) -> Condition:
    name = f"{count} thread{'s' * (count > 1)}"
    variables = {"NPROC": str(count)} | ({"XLA_FLAGS": flags} if flags else {})
    return Condition(name + (" without YNNPACK" if flags else ""), environment=variables, **more)


def _population(title: str, *members: int, form: str = "population", **more: Any) -> Condition:
    settings = {"form": form, "members": members}
    return Condition(title, settings, experiments=_POINTS, **more)


CONDITIONS: dict[str, Condition] = {
    USUAL: Condition("a new process"),
    "again": Condition("another new process"),
    "two-at-once": Condition("two processes at the same time", at_once=True),
    "threads-1": _threads(1),
    "threads-2": _threads(2),
    "threads-4": _threads(4),
    "threads-2-on-one-core": dataclasses.replace(
        _threads(2), title="2 threads on one core", settings={"processors": 1}, against="threads-2"
    ),
    "threads-4-on-one-core": dataclasses.replace(
        _threads(4), title="4 threads on one core", settings={"processors": 1}, against="threads-4"
    ),
    "no-ynnpack-1": _threads(1, _NO_YNNPACK),
    "no-ynnpack-2": _threads(2, _NO_YNNPACK, against="no-ynnpack-1"),
    "no-ynnpack-4": _threads(4, _NO_YNNPACK, against="no-ynnpack-1"),
    "no-threads-in-eigen": Condition(
        "2 threads, not used in matrix products (--xla_cpu_multi_thread_eigen=false)",
        environment={"NPROC": "2", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"},
        against="threads-1",
    ),
    "jitted": Condition("`jit(train_step)` step by step, batches fetched under `jit`", {"form": "jitted"}),
    "fetched-eagerly": Condition("the same, but batches fetched eagerly", {"form": "fetched eagerly"}),
    "one-step-chunks": Condition("chunks of one step", {"longest": 1}),
    "cut-elsewhere": Condition("chunks of at most 7 steps", {"longest": 7}),
    "other-capacity": Condition("chunks compiled for 500 steps", {"capacity": 500}),
    "compiled": Condition("the chunk as a compiled loop", {"form": "compiled"}),
    "queued": Condition("the chunk as queued calls", {"form": "queued"}),
    "population-1": _population("member of a population of 1", 0),
    "population-2": _population("member of a population of 2", 0, 1),
    "population-4": _population("member of a population of 4", 0, 1, 2, 3),
    "population-10": _population("member of a population of 10", *range(10)),
    "population-others": _population(
        "population of 4 with other members", 0, 7, 8, 9, against="population-4"
    ),
    "population-order": _population("population of 4 in another order", 3, 2, 1, 0, against="population-4"),
    "mapped": _population("member of 4 under `lax.map`", 0, 1, 2, 3, form="mapped"),
    "stock-allocator": Condition("unchanged malloc (--stock-allocator)", {"keep_freed_memory": False}),
    "cache-cold": Condition("empty compilation cache", cache="kept"),
    "cache-warm": Condition("compiled programs from the cache", cache="kept"),
    "avx512": _instructions("AVX512"),
    "avx2": _instructions("AVX2"),
    "sse": _instructions("SSE4_2"),
    "another-seed": Condition("another seed, for comparison", {"seed": 1}),
}


def with_interpreters(pythons: tuple[str, ...]) -> dict[str, Condition]:
    """`CONDITIONS`, and one for each other interpreter, whose title has the versions that it reports."""
    others = {f"python-{i}": Condition("", python=python) for i, python in enumerate(pythons, 1)}
    return CONDITIONS | others
