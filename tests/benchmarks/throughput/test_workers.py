import sys

import pytest

from benchmarks.throughput.workers import (
    MODULES,
    Conditions,
    WorkerFailed,
    Worker,
    interpreters,
    prepare,
    probe,
)
from ganjax.system.errors import UserError

CPU = Conditions("cpu")


@pytest.fixture
def started():
    """Start a worker that is stopped at the test's end."""
    workers = []

    def start(folder, python, environment=None):
        workers.append(Worker(python, "ganjax-step", folder, False, environment or {}))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


def test_every_path_gets_the_same_allocator(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "7")
    tuned = CPU.environment("float32", False)
    assert tuned["MALLOC_MMAP_MAX_"] == "0"
    assert tuned["MALLOC_ARENA_MAX"] == "1"
    assert "MALLOC_ARENA_MAX" not in CPU._replace(one_arena=False).environment("float32", False)
    stock = CPU._replace(stock_allocator=True).environment("float32", False)
    assert not any(name.startswith("MALLOC_") for name in stock)


def test_settings_of_the_surroundings_do_not_reach_a_path(monkeypatch):
    for name in ("XLA_FLAGS", "JAX_ENABLE_X64", "TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND"):
        monkeypatch.setenv(name, "1")
    found = CPU.environment("float32", False)
    assert not {"XLA_FLAGS", "JAX_ENABLE_X64", "TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND"} & found.keys()


def test_a_gpu_is_chosen_by_index_and_not_allocated_whole():
    found = Conditions("gpu", 3).environment("float32", True)
    assert found["CUDA_VISIBLE_DEVICES"] == "3"
    assert found["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert found["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert found["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert "--xla_gpu_deterministic_ops=true" in found["XLA_FLAGS"]
    assert "XLA_FLAGS" not in Conditions("gpu").environment("float32", False)


def test_precision_on_a_gpu():
    products = {
        precision: Conditions("gpu").environment(precision, False).get("JAX_DEFAULT_MATMUL_PRECISION")
        for precision in ("float32", "tf32", "bfloat16")
    }
    assert products == {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": None}


def test_interpreters():
    found = interpreters("jax/python", None)
    assert found["ganjax-chunk"] == found["keras-jax"] == "jax/python"
    assert found["tensorflow-xla"] == sys.executable
    assert found.keys() == MODULES.keys()


def test_a_path_that_cannot_begin_says_why(started, tmp_path):
    with pytest.raises(WorkerFailed, match=r"^FileNotFoundError: .*spec.json") as caught:
        started(tmp_path, sys.executable, CPU.environment("float32", False)).hello()
    assert "\n" not in str(caught.value)


def test_an_interpreter_that_ends_at_once(started, tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'no module named x' >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(WorkerFailed, match=r"^ended with code 3: no module named x$"):
        started(tmp_path, str(program)).hello()


def test_a_process_that_is_killed(started, tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho '{\"versions\": {}}'\nread line\nkill -9 $$\n")
    program.chmod(0o755)
    worker = started(tmp_path, str(program))
    assert worker.hello() == {"versions": {}}
    with pytest.raises(WorkerFailed, match="killed by signal 9"):
        worker.ask("run", steps=1)
    with pytest.raises(WorkerFailed, match="killed by signal 9"):
        worker.ask("memory")


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
