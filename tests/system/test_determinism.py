"""What a process asks XLA for, and with how many threads it computes, can be said beforehand."""

import os
import subprocess
import sys

import pytest
import small_runs

from ganjax.system import process
from ganjax.system.process import cores


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ | {"XLA_FLAGS": "", "NPROC": ""})


def test_the_flags_are_added_once_and_the_users_stand():
    os.environ["XLA_FLAGS"] = "--xla_gpu_autotune_level=2 --xla_other=1"
    assert not process.is_deterministic()
    for _ in range(2):
        process.make_deterministic()
    assert os.environ["XLA_FLAGS"].split() == [
        "--xla_gpu_autotune_level=2",
        "--xla_other=1",
        "--xla_gpu_deterministic_ops=true",
    ]
    assert not process.is_deterministic()  # kernels are still chosen by their times


def test_asking_is_remembered():
    del os.environ["XLA_FLAGS"]
    process.make_deterministic()
    assert process.is_deterministic()


@pytest.mark.parametrize("said", ["", "0", "-1", "many", "1.5", "\u0663"])
def test_threads_are_the_cores_unless_a_number_is_said(said):
    os.environ["NPROC"] = said
    assert process.threads() == cores()


def test_a_run_can_be_computed_with_as_many_threads_as_another():
    del os.environ["NPROC"]
    process.compute_with(7)
    assert process.threads() == 7
    process.compute_with(3)  # the first, the user's if there was one, stands
    assert process.threads() == 7


COUNT = """
import os
from pathlib import Path
from ganjax.system.process import compute_with
compute_with(3)
import jax
jax.jit(lambda x: x @ x)(jax.numpy.ones((64, 64))).block_until_ready()
names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
print(sum("Eigen" in name for name in names))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="threads are counted as Linux shows them")
def test_xla_has_as_many_threads_as_it_is_told(base):
    environment = small_runs.environment(base)
    environment.pop("NPROC", None)
    ended = subprocess.run(
        [sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) == 3
