"""The requests to the process of a path: it reads JSON objects from its standard input and answers each with
one.

    {"do": "compile"}           -> {"seconds": until the end of the first step}
    {"do": "run", "steps": n}   -> {"seconds": until n more steps are done, not only queued}
    {"do": "settle"}            -> {}: return freed memory to the kernel, and reset the peak of "memory"
    {"do": "memory"}            -> {"bytes": most used, "kind": "resident set" or "device"}
    {"do": "check", "file": f, "perturbed": false}
                                -> {}: do the checked steps, from initial or perturbed weights, and write f
    {"do": "quit"}              -> the process ends

The first line that it sends is {"versions": {...}, "device": name}; see also `benchmarks.workers`.
"""

from __future__ import annotations

import ctypes
import gc
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks import workers
from benchmarks.throughput.work import Work


class Trainer(Protocol):
    """A path that trains one workload, with weights and batches on the device."""

    device: str

    def run(self, steps: int) -> None:
        """Train each seed for `steps` more steps, and return when they are done."""
        ...

    def check(self, perturbed: bool) -> dict[str, np.ndarray]:
        """Do the checked steps from initial or perturbed weights; returns the arrays of same_work.py."""
        ...

    def device_memory(self) -> int | None:
        """Most bytes ever used on the device; None on a CPU."""
        ...


def serve(make: Callable[[Work, str, bool], Trainer], packages: Sequence[str]) -> None:
    """Answer requests until "quit". The command line is FOLDER PATH 0|1 (deterministic kernels)."""

    def begin() -> tuple[dict[str, Any], workers.Answer]:
        folder, path, deterministic = sys.argv[1:]
        trainer = make(Work(folder), path, deterministic == "1")
        hello = {"versions": versions(packages), "device": trainer.device}
        return hello, lambda question: None if question["do"] == "quit" else _answer(trainer, question)

    workers.serve(begin)


def _answer(trainer: Trainer, question: Mapping[str, Any]) -> dict[str, Any]:
    match question["do"]:
        case "compile":
            return {"seconds": _timed(trainer, 1)}
        case "run":
            return {"seconds": _timed(trainer, question["steps"])}
        case "settle":
            settle()
            return {}
        case "memory":
            on_device = trainer.device_memory()
            if on_device is None:
                return {"bytes": resident_set(), "kind": "resident set"}
            return {"bytes": on_device, "kind": "device"}
        case "check":
            np.savez(question["file"], allow_pickle=False, **trainer.check(question["perturbed"]))
            return {}
    raise ValueError(f"cannot do {question['do']!r}")


def _timed(trainer: Trainer, steps: int) -> float:
    start = time.perf_counter()
    trainer.run(steps)
    return time.perf_counter() - start


def settle() -> None:
    """Return freed memory and reset the peak of the resident set, on Linux with glibc."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    marks = Path("/proc/self/clear_refs")
    if marks.exists():
        marks.write_text("5")  # resets VmHWM, see proc(5)


def resident_set() -> int:
    """Most bytes of memory that this process has used, on Linux since :func:`settle`."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: on Linux it includes the memory of the process before it started this program.
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if platform.system() == "Darwin" else most * 1024


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of Python and of the packages, which must have been imported."""
    return {"python": platform.python_version()} | {name: sys.modules[name].__version__ for name in packages}
