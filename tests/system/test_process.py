"""Processor and threads, deterministic kernels, and the allocator of a process."""

import os
import platform
import re
import subprocess
import sys

import pytest
import small_runs

from ganjax.system import process
from ganjax.system.process import cores

# Processor.

EPYC = """\
processor\t: 0
model name\t: AMD EPYC 7B13
flags\t\t: fpu sse4_2 avx avx2 fma
processor\t: 1
model name\t: AMD EPYC 7B13
flags\t\t: fpu sse4_2 avx avx2 fma
"""
XEON = """\
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t: avx2 avx512f avx512_bf16 amx_bf16
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd sve bf16\nCPU part\t: 0xd40\n"


@pytest.mark.parametrize(
    ("cpuinfo", "name", "flags"),
    [
        (EPYC, "AMD EPYC 7B13", {"fpu", "sse4_2", "avx", "avx2", "fma"}),
        (
            XEON,
            "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
            {"avx2", "avx512f", "avx512_bf16", "amx_bf16"},
        ),
        (ARM, platform.processor() or platform.machine(), {"fp", "asimd", "sve", "bf16"}),
        ("", platform.processor() or platform.machine(), set()),
    ],
)
def test_names_and_flags(cpuinfo, name, flags):
    assert process.parse(cpuinfo) == (name, flags)


def test_without_cpuinfo_python_gives_the_name(monkeypatch, tmp_path):
    monkeypatch.setattr(process, "CPUINFO", tmp_path / "nothing")
    assert process.processor() == (platform.processor() or platform.machine(), set())


def test_cores_are_those_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert process.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert process.cores() == 1


# Threads and deterministic kernels.


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ | {"XLA_FLAGS": "", "NPROC": ""})


def test_flags_are_added_once_and_do_not_replace_the_users():
    os.environ["XLA_FLAGS"] = "--xla_gpu_autotune_level=2 --xla_other=1"
    assert not process.is_deterministic()
    for _ in range(2):
        process.make_deterministic()
    assert os.environ["XLA_FLAGS"].split() == [
        "--xla_gpu_autotune_level=2",
        "--xla_other=1",
        "--xla_gpu_deterministic_ops=true",
    ]
    assert not process.is_deterministic()  # kernels are still chosen by measured speed


def test_is_deterministic_once_made_so():
    del os.environ["XLA_FLAGS"]
    process.make_deterministic()
    assert process.is_deterministic()


@pytest.mark.parametrize("value", ["", "0", "-1", "many", "1.5", "\u0663"])
def test_there_are_as_many_threads_as_cores_unless_nproc_is_a_number(value):
    os.environ["NPROC"] = value
    assert process.threads() == cores()


def test_compute_with_sets_the_threads_unless_they_are_set():
    del os.environ["NPROC"]
    process.compute_with(7)
    assert process.threads() == 7
    process.compute_with(3)
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


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs Linux's /proc")
def test_xla_uses_this_many_threads(base):
    environment = small_runs.environment(base)
    environment.pop("NPROC", None)
    ended = subprocess.run(
        [sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) == 3


# Memory.

RESIDENT_AFTER_FREEING = """
import ctypes, sys
from ganjax.system.process import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
block = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(200_000_000)))
ctypes.memset(block, 1, 200_000_000)
libc.free(block)
print(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
"""


ARENAS_OF_TWO_THREADS = """
import ctypes, sys, threading
from ganjax.system.process import keep_freed_memory
assert keep_freed_memory(one_arena=sys.argv[1] == "one")
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
thread = threading.Thread(target=lambda: libc.malloc(ctypes.c_size_t(100)))
thread.start()
thread.join()
sys.stdout.flush()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.parametrize("one_arena", [False, True])
def test_returns_whether_it_was_done(one_arena):
    line = f"import ganjax.system.process as process; print(process.keep_freed_memory(one_arena={one_arena}))"
    ended = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert ended.stdout == f"{platform.libc_ver()[0] == 'glibc'}\n"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
@pytest.mark.parametrize(("asked", "arenas"), [("one", {"0"}), ("several", {"0", "1"})])
def test_arenas(asked, arenas):
    ended = subprocess.run(
        [sys.executable, "-c", ARENAS_OF_TWO_THREADS, asked], capture_output=True, text=True, check=True
    )
    assert arenas <= set(re.findall(r'<heap nr="(\d+)">', ended.stdout))
    assert ("1" in re.findall(r'<heap nr="(\d+)">', ended.stdout)) == (asked == "several")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only for glibc")
def test_freed_memory_stays_with_the_process():
    kilobytes = {}
    for mode in ("keep", "stock"):
        ended = subprocess.run(
            [sys.executable, "-c", RESIDENT_AFTER_FREEING, mode], capture_output=True, text=True, check=True
        )
        kilobytes[mode] = int(ended.stdout)
    assert kilobytes["keep"] - kilobytes["stock"] > 150_000
