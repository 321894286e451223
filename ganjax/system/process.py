"""What this process runs on, and how it computes: processor, threads, deterministic kernels, memory.

Threads, kernels and memory must be set before JAX starts: all of these functions work without importing it.
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

# Processor and threads.

CPUINFO = Path("/proc/cpuinfo")


def processor() -> tuple[str, set[str]]:
    """`(name, instruction flags)` of this machine's processor; without Linux's /proc, no flags."""
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
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def compute_with(threads: int) -> None:
    """Make XLA compute with this many threads on a CPU, unless the user has set `NPROC`.

    The number of threads decides how a matrix product is split, and so how its sums are rounded.
    """
    os.environ.setdefault("NPROC", str(threads))


def threads() -> int:
    """How many threads XLA uses on a CPU: `NPROC` if it is set, otherwise one for each core."""
    value = os.environ.get("NPROC", "")
    return int(value) if value.isascii() and value.isdigit() and int(value) else cores()


# Deterministic kernels.

XLA_FLAGS = (
    "--xla_gpu_deterministic_ops=true",  # no kernel whose order of additions depends on timing
    "--xla_gpu_autotune_level=0",  # no choice of kernels by measured speed
)


def make_deterministic() -> None:
    """Set the XLA flags in the environment that make results on a GPU reproducible; they cost speed there.

    On a CPU the same number of threads is enough (`compute_with`). Flags that the user has set are kept.
    """
    flags = _flags()
    names = {flag.split("=")[0] for flag in flags}
    flags += [flag for flag in XLA_FLAGS if flag.split("=")[0] not in names]
    os.environ["XLA_FLAGS"] = " ".join(flags)


def is_deterministic() -> bool:
    """Whether these flags are set, by `make_deterministic` or by the user."""
    return set(XLA_FLAGS) <= set(_flags())


def _flags() -> list[str]:
    return os.environ.get("XLA_FLAGS", "").split()


# Memory.

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -3, -4, -8  # from malloc.h
_LARGEST = 2**31 - 1
_NEVER = -1


def keep_freed_memory(*, one_arena: bool = True) -> bool:
    """Make glibc's malloc keep large blocks that were freed, instead of returning them to the kernel.

    On a CPU every training step allocates the same large temporaries. By default glibc maps them anew each
    time, and the step waits while the kernel fills the pages with zeros. Call this before JAX starts threads.

    Args:
        one_arena: all threads share one arena. This is right for networks on images: the other arenas consist
            of blocks of 64 MiB, and larger allocations, such as a step's temporaries, would be mapped anew
            despite the setting. It is wrong for small dense networks, whose threads then wait for each other:
            a step of the 3x16 ring networks takes 66 instead of 38 microseconds (2 cores of an AMD EPYC with
            AVX-512, JAX 0.10.2).

    Returns:
        Whether it was done: only on Linux with glibc. It overrides `MALLOC_*` in the environment.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    options = [(_M_MMAP_MAX, 0), (_M_MMAP_THRESHOLD, _LARGEST), (_M_TRIM_THRESHOLD, _NEVER)]
    if one_arena:
        options.append((_M_ARENA_MAX, 1))
    return all(mallopt(option, value) for option, value in options)
