"""How glibc hands out memory: a program's business, so nothing here happens at import."""

from __future__ import annotations

import ctypes
import platform

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
