import sys
from typing import ClassVar

import numpy as np
import pytest

from benchmarks.throughput import measuring, preparation, work
from benchmarks.throughput.workloads import WORKLOADS
from benchmarks.workers import Conditions, WorkerFailed

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras, when it saves

TIMING = measuring.Timing(rounds=3, seconds=2.0)


class FakeWorker:
    """A path's process that takes half a second for each step, and records all requests."""

    asked: ClassVar[list[tuple[str, str]]] = []
    broken: ClassVar[dict[str, str]] = {}  # path: what fails

    def __init__(self, python, path, folder, deterministic, environment):
        self.path, self.folder, self.stopped = path, folder, False

    def _do(self, what):
        self.asked.append((self.path, what))
        if self.broken.get(self.path) == what:
            raise WorkerFailed(f"{what} failed")

    def hello(self):
        self._do("hello")
        return {"versions": {"python": "3"}, "device": "cpu"}

    def ask(self, do, **more):
        assert not self.stopped
        self._do("perturbed" if more.get("perturbed") else do)
        if do == "check":
            arrays = {name: value + self.offset for name, value in work.Work(self.folder).initial.items()}
            np.savez(more["file"], losses=np.full((1, 20, 2), 0.5 + self.offset), **arrays)
        return {
            "compile": {"seconds": 1.5},
            "run": {"seconds": 0.5 * more.get("steps", 0)},
            "memory": {"bytes": 1000, "kind": "resident set"},
            "settle": {},
            "check": {},
        }[do]

    @property
    def offset(self):
        return 0.25 if self.broken.get(self.path) == "other work" else 0.0

    def stop(self):
        self.stopped = True
        self._do("stop")


@pytest.fixture
def measure(tmp_path, monkeypatch):
    preparation.prepare(tmp_path, WORKLOADS["original-toy"], "float32", "cpu")
    monkeypatch.setattr(measuring, "PathProcess", FakeWorker)
    monkeypatch.setattr(FakeWorker, "asked", [])

    def run(*paths, **broken):
        monkeypatch.setattr(
            FakeWorker, "broken", {name.replace("_", "-"): how for name, how in broken.items()}
        )
        pythons = dict.fromkeys(paths, "python")
        lines = []
        found = measuring.measure(work.Work(tmp_path), pythons, Conditions("cpu"), TIMING, lines.append)
        return {row["path"]: row for row in found}

    return run


def test_each_round_begins_with_the_next_path(measure):
    paths = ("ganjax-step", "keras-jax", "tensorflow-graph")
    found = measure(*paths)
    timed = [path for path, what in FakeWorker.asked if what == "run"][-9:]
    assert [timed[i : i + 3] for i in (0, 3, 6)] == [
        list(paths),
        [*paths[1:], paths[0]],
        [paths[2], *paths[:2]],
    ]
    for row in found.values():
        assert row["steps_per_round"] == 4
        assert row["seconds_per_step"] == [0.5] * 3
        assert row["compile_seconds"] == 1.5
        assert row["peak_memory_bytes"] == 1000
        assert row["error"] is None
        assert row["same_work"]["comparable"]
        assert row["same_work"]["reference"] == "tensorflow-graph"
    assert [what for _, what in FakeWorker.asked].count("stop") == 3


def test_memory_is_read_before_the_checked_steps(measure):
    measure("ganjax-step", "keras-jax")
    asked = [what for path, what in FakeWorker.asked if path == "ganjax-step"]
    assert asked.index("compile") < asked.index("settle") < asked.index("check")
    assert asked.index("memory") < asked.index("settle") < len(asked) - asked[::-1].index("memory")


@pytest.mark.parametrize("when", ["hello", "compile", "run", "memory", "check", "perturbed"])
def test_a_path_that_fails_does_not_end_the_others(measure, when):
    found = measure("ganjax-step", "tensorflow-graph", tensorflow_graph=when)
    assert found["tensorflow-graph"]["error"] == f"{when} failed"
    assert found["ganjax-step"]["error"] is None
    assert len(found["ganjax-step"]["seconds_per_step"]) == 3


def test_other_work_is_found(measure):
    found = measure("ganjax-step", "keras-jax", "tensorflow-graph", ganjax_step="other work")
    assert not found["ganjax-step"]["same_work"]["comparable"]
    assert found["keras-jax"]["same_work"]["comparable"]


def test_a_single_path_is_not_compared(measure):
    found = measure("ganjax-step")
    assert found["ganjax-step"]["same_work"]["comparable"] is None
    assert found["ganjax-step"]["same_work"]["reason"] == "no other path to compare it with"


def test_calibration_takes_the_time_of_warm_steps():
    """The first call takes a second, and each later step a hundredth."""
    calls = []

    def seconds_of(steps):
        calls.append(steps)
        return 1.0 if len(calls) == 1 else 0.01 * steps

    assert measuring._calibrated(seconds_of, 2.0) == 200
    assert measuring._calibrated(lambda steps: 30.0 * steps, 2.0) == 1


def test_two_real_paths(tmp_path, monkeypatch):
    """From a prepared folder to rows, with real processes."""
    monkeypatch.setenv("PYTHONPATH", "")  # conftest.py hides TensorFlow
    preparation.prepare(tmp_path, WORKLOADS["ring-16"], "float32", "cpu")
    pythons = dict.fromkeys(("ganjax-chunk", "tensorflow-graph"), sys.executable)
    timing = measuring.Timing(rounds=2, seconds=0.02)
    rows = measuring.measure(work.Work(tmp_path), pythons, Conditions("cpu"), timing, lambda line: None)
    for row in rows:
        assert row["error"] is None
        assert row["same_work"]["comparable"], row["same_work"]["reason"]
        assert row["same_work"]["strict_steps"] == work.CHECKED_STEPS
        assert len(row["seconds_per_step"]) == 2
        assert min(row["seconds_per_step"]) > 0
        assert row["peak_memory_bytes"] > 1e8
    assert "jax" in rows[0]["versions"]
    assert "tensorflow" in rows[1]["versions"]
    assert "jax" not in rows[1]["versions"]
