"""Processes that prepare, probe and train, and how their failures are reported."""

import sys

import pytest

from benchmarks.throughput.processes import MODULES, PathProcess, interpreters, prepare, probe
from benchmarks.workers import Conditions, WorkerFailed
from ganjax.system.errors import UserError

CPU = Conditions("cpu")


def test_interpreters():
    found = interpreters("jax/python", None)
    assert found["ganjax-chunk"] == found["keras-jax"] == "jax/python"
    assert found["tensorflow-xla"] == sys.executable
    assert found.keys() == MODULES.keys()


def test_a_path_that_cannot_begin_says_why(tmp_path):
    process = PathProcess(sys.executable, "ganjax-step", tmp_path, False, CPU.environment("float32", False))
    with pytest.raises(WorkerFailed, match=r"^FileNotFoundError: .*spec.json") as caught:
        process.hello()
    assert "\n" not in str(caught.value)
    process.stop()


def test_a_workload_that_cannot_be_prepared(tmp_path):
    with pytest.raises(WorkerFailed, match="cannot be prepared: KeyError: 'nothing'"):
        prepare(
            sys.executable, tmp_path / "new", "nothing", "float32", "cpu", CPU.environment("float32", False)
        )


def test_probing():
    assert probe(sys.executable, "jax", CPU.environment("float32", False))["gpu"] is None
    with pytest.raises(UserError, match="cannot run no/such/python: No such file"):
        probe("no/such/python", "jax", {})
    with pytest.raises(UserError, match=r"has no working nothing: .*No module named 'nothing'"):
        probe(sys.executable, "nothing", CPU.environment("float32", False))
