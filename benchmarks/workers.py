"""Worker processes that answer requests, and the environment in which they run.

A worker reads JSON objects from its standard input, one on each line, and answers each with one on its
standard output. `WorkerProcess` is the side that asks, `serve` the side that answers. Needs the standard
library only, since a worker's environment may have neither JAX nor ganjax's other dependencies.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

ROOT = Path(__file__).parent.parent

KEEP_FREED_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""The same settings as in `ganjax.system.process`, for all workers: glibc keeps freed memory."""

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


class WorkerFailed(Exception):
    """A worker cannot continue; the message is one line."""


class Conditions(NamedTuple):
    """The device and the allocator of a worker.

    Attributes:
        device: "cpu" or "gpu".
        gpu: index of the GPU as `nvidia-smi` counts.
        stock_allocator: leave the C library's allocator unchanged.
        one_arena: otherwise, let all threads share one arena (see `ganjax.system.process`).
    """

    device: str
    gpu: int = 0
    stock_allocator: bool = False
    one_arena: bool = True

    def environment(self, precision: str, deterministic: bool) -> dict[str, str]:
        """The environment of a worker: that of this process without variables that change how it computes."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MALLOC_", "JAX_", "XLA_", "TF_")) and name != "KERAS_BACKEND"
        }
        new = {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
            "JAX_ENABLE_COMPILATION_CACHE": "false",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        if not self.stock_allocator:
            new |= KEEP_FREED_MEMORY | (ONE_ARENA if self.one_arena else {})
        if self.device == "cpu":
            new |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
        else:
            new |= {
                "JAX_PLATFORMS": "cuda",
                "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
                "CUDA_VISIBLE_DEVICES": str(self.gpu),
                "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
                "TF_FORCE_GPU_ALLOW_GROWTH": "true",
                "JAX_DEFAULT_MATMUL_PRECISION": "tensorfloat32" if precision == "tf32" else "highest",
            }
            if precision == "bfloat16":
                del new["JAX_DEFAULT_MATMUL_PRECISION"]
            if deterministic:
                new["XLA_FLAGS"] = "--xla_gpu_deterministic_ops=true"
        return inherited | new


class WorkerProcess:
    """A worker, seen from the process that asks.

    Args:
        command: starts the worker.
        log: file for its standard error.
        environment: all of its variables.
        folder: its working directory.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path):
        """Start it, without waiting for anything."""
        with log.open("w") as stderr:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=dict(environment),
                cwd=folder,
            )
        self._log = log

    def hello(self) -> dict[str, Any]:
        """The first line, which the worker sends when it is ready.

        Raises:
            WorkerFailed: it ended before.
        """
        return self._answer()

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Send a request and return the answer.

        Raises:
            WorkerFailed: the worker failed, or has ended.
        """
        try:
            _pipe(self._process.stdin).write(json.dumps({"do": do, **more}) + "\n")
            _pipe(self._process.stdin).flush()
        except (BrokenPipeError, OSError):
            raise WorkerFailed(self._end()) from None
        return self._answer()

    def stop(self) -> None:
        """Kill the worker, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):  # a request that it did not read
                _pipe(pipe).close()

    def _answer(self) -> dict[str, Any]:
        line = _pipe(self._process.stdout).readline()
        if not line.endswith("\n"):
            raise WorkerFailed(self._end())
        answer = json.loads(line)
        if "error" in answer:
            self._process.wait()
            raise WorkerFailed(answer["error"])
        return answer

    def _end(self) -> str:
        """How the worker ended, in one line."""
        code = self._process.wait()
        if code < 0:
            return f"killed by signal {-code}" + " (too little memory?)" * (code == -9)
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return f"ended with code {code}: {lines[-1] if lines else 'it printed nothing'}"


def serve(begin: Callable[[], tuple[Mapping[str, Any], Answer]]) -> None:
    """Answer requests until the standard input ends, or a request gets no answer (None).

    If something fails, the answer is {"error": line}, the traceback goes to standard error, and the process
    ends with exit code 1. Nothing else can write to the standard output: whatever a library prints goes to
    standard error.

    Args:
        begin: returns the first line, and the function that answers requests.
    """
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer: Mapping[str, Any]) -> None:
        print(json.dumps(dict(answer)), file=channel, flush=True)

    try:
        hello, answer = begin()
        say(hello)
        for line in sys.stdin:
            if (reply := answer(json.loads(line))) is None:
                break
            say(reply)
    except Exception as error:
        traceback.print_exc()
        say({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"})
        sys.exit(1)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
