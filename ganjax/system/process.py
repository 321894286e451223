"""Which processor this is, and how much of it this process may use."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def processor() -> tuple[str, set[str]]:
    """`(name, instruction flags)` of this machine's processor; off Linux, what Python knows of it."""
    return parse(CPUINFO.read_text() if CPUINFO.exists() else "")


def parse(cpuinfo: str) -> tuple[str, set[str]]:
    """The same, from the text of Linux's /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    name = fields.get("model name") or fields.get("Hardware") or platform.processor() or platform.machine()
    flags = fields.get("flags") or fields.get("Features") or ""
    return " ".join(name.split()), set(flags.split())


def cores() -> int:
    """Processors this process may run on: JAX computes with as many threads."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -3, -4, -8
_MOST = 2**31 - 1
_NEVER = -1


def keep_freed_memory(*, one_arena: bool = True) -> bool:
    """Let this process keep large blocks it has freed, instead of giving them back to the kernel.

    On a CPU every training step allocates the same large temporaries. By default glibc maps each one anew,
    and the step waits while the kernel fills its pages with zeros. Call it before JAX starts its threads.

    Args:
        one_arena: all threads share one arena. Right for networks over images: the other arenas are made of
            blocks of 64 MiB, and what is larger, as a step's temporaries are, is mapped anew after all. Wrong
            for small dense networks, whose threads then wait for each other: a step of the 3x16 ring pair
            takes 66 microseconds in place of 38 (2 cores of an AMD EPYC with AVX-512, JAX 0.10.2).

    Returns:
        Whether it was done: on Linux with glibc only. `MALLOC_*` in the environment is overruled.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    options = [(_M_MMAP_MAX, 0), (_M_MMAP_THRESHOLD, _MOST), (_M_TRIM_THRESHOLD, _NEVER)]
    if one_arena:
        options.append((_M_ARENA_MAX, 1))
    return all(mallopt(option, value) for option, value in options)


XLA_FLAGS = (
    "--xla_gpu_deterministic_ops=true",  # no kernel that adds up in whatever order its threads come
    "--xla_gpu_autotune_level=0",  # no choice of kernels by how long they took today
)


def make_deterministic() -> None:
    """Ask XLA for kernels that always give the same bits, by its flags in the environment.

    These are for GPUs, and cost speed there. On CPUs the same number of threads is all that is needed
    (`compute_with`). A flag that the user has set stands.
    """
    flags = _flags()
    names = {flag.split("=")[0] for flag in flags}
    flags += [flag for flag in XLA_FLAGS if flag.split("=")[0] not in names]
    os.environ["XLA_FLAGS"] = " ".join(flags)


def is_deterministic() -> bool:
    """Whether XLA was asked for such kernels, by `make_deterministic` or by the user."""
    return set(XLA_FLAGS) <= set(_flags())


def compute_with(threads: int) -> None:
    """Let XLA compute with so many threads on a CPU, on however many cores, unless the user has set `NPROC`.

    How a product is split among threads decides how its sums are rounded.
    """
    os.environ.setdefault("NPROC", str(threads))


def threads() -> int:
    """With how many threads XLA computes on a CPU: `NPROC`, or as many as cores this process may use."""
    said = os.environ.get("NPROC", "")
    return int(said) if said.isascii() and said.isdigit() and int(said) else cores()


def _flags() -> list[str]:
    return os.environ.get("XLA_FLAGS", "").split()
