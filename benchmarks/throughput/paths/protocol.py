"""How a path's process is asked for things: a JSON object a line on its standard input, one back for each.

    {"do": "compile"}           -> {"seconds": to the end of the first step}
    {"do": "run", "steps": n}   -> {"seconds": until n more steps are done, not only queued}
    {"do": "settle"}            -> {}: freed memory goes back to the kernel, and "most" below starts anew
    {"do": "memory"}            -> {"bytes": most used, "kind": "resident set" or "device"}
    {"do": "check", "file": f, "perturbed": false}
                                -> {}: the checked steps, from the initial or perturbed weights, written to f
    {"do": "quit"}              -> the process ends

The first line comes unasked: {"versions": {...}, "device": name}; ../workers.py has the rest.
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
    """A path at work on one workload, its weights and batches on the device."""

    device: str

    def run(self, steps: int) -> None:
        """Train each seed for so many steps more, and return when that is done."""
        ...

    def check(self, perturbed: bool) -> dict[str, np.ndarray]:
        """The checked steps from the initial or perturbed weights; same_work.py has the names."""
        ...

    def device_memory(self) -> int | None:
        """Most bytes ever used on the device; None on a CPU."""
        ...


def serve(make: Callable[[Work, str, bool], Trainer], packages: Sequence[str]) -> None:
    """Answer until told to quit. The command line is FOLDER PATH 0|1 (deterministic kernels)."""

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
    """Forget what compiling took, where Linux and glibc can: a device's own count goes on."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    marks = Path("/proc/self/clear_refs")
    if marks.exists():
        marks.write_text("5")  # resets VmHWM, by proc(5)


def resident_set() -> int:
    """Most bytes of memory this process had in use, since :func:`settle` on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage, which on Linux also counts what the process was before it became this program.
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if platform.system() == "Darwin" else most * 1024


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of Python and of the named packages, which have been imported."""
    return {"python": platform.python_version()} | {name: sys.modules[name].__version__ for name in packages}
