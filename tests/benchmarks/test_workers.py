"""Worker processes: their environment, and how a failure is reported."""

import sys

import pytest

from benchmarks.workers import ROOT, Conditions, WorkerFailed, WorkerProcess

CPU = Conditions("cpu")


@pytest.fixture
def started():
    """Start a program as a worker, which is stopped at the end of the test."""
    workers = []

    def start(folder, *command):
        workers.append(WorkerProcess(command, folder / "log", {"PATH": "/usr/bin:/bin"}, folder))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


def test_every_worker_has_the_same_allocator(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "7")
    tuned = CPU.environment("float32", False)
    assert tuned["MALLOC_MMAP_MAX_"] == "0"
    assert tuned["MALLOC_ARENA_MAX"] == "1"
    assert "MALLOC_ARENA_MAX" not in CPU._replace(one_arena=False).environment("float32", False)
    stock = CPU._replace(stock_allocator=True).environment("float32", False)
    assert not any(name.startswith("MALLOC_") for name in stock)


def test_settings_of_the_user_do_not_reach_a_worker(monkeypatch):
    for name in ("XLA_FLAGS", "JAX_ENABLE_X64", "TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND"):
        monkeypatch.setenv(name, "1")
    found = CPU.environment("float32", False)
    assert not {"XLA_FLAGS", "JAX_ENABLE_X64", "TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND"} & found.keys()


def test_a_gpu_is_chosen_by_index_and_not_preallocated():
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


def test_a_program_that_ends_at_once(started, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho 'no module named x' >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(WorkerFailed, match=r"^ended with code 3: no module named x$"):
        started(tmp_path, str(program)).hello()


def test_a_process_that_is_killed(started, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho '{\"versions\": {}}'\nread line\nkill -9 $$\n")
    program.chmod(0o755)
    worker = started(tmp_path, str(program))
    assert worker.hello() == {"versions": {}}
    with pytest.raises(WorkerFailed, match="killed by signal 9"):
        worker.ask("run", steps=1)
    with pytest.raises(WorkerFailed, match="killed by signal 9"):
        worker.ask("memory")


def test_a_worker_answers_until_a_request_gets_no_answer(started, tmp_path):
    """What a library prints does not disturb the answers."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from benchmarks.workers import serve; "
        "serve(lambda: ({'hello': 1}, lambda request: print('noise') or request.get('reply')))"
    )
    worker = started(tmp_path, sys.executable, "-c", program)
    assert worker.hello() == {"hello": 1}
    assert worker.ask("repeat", reply={"a": 2}) == {"a": 2}
    with pytest.raises(WorkerFailed, match="ended with code 0: noise"):
        worker.ask("stop")
