"""The processes that train, seen from the one that asks (`paths/protocol.py`) and measures no time itself."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from ganjax.system.errors import UserError

ROOT = Path(__file__).parent.parent.parent

MODULES = {
    "ganjax-step": "ganjax_pure",
    "ganjax-chunk": "ganjax_pure",
    "keras-jax": "keras_jax",
    "tensorflow-graph": "tensorflow_keras",
    "tensorflow-xla": "tensorflow_keras",
}
"""Every path, and the module of `benchmarks.throughput.paths` that runs it."""

KEEP_FREED_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""What `ganjax.system.process` sets, for every path alike: glibc keeps what it has been given."""


class PathFailed(Exception):
    """A path cannot go on: the message is one line."""


class Conditions(NamedTuple):
    """Under which all paths run.

    Attributes:
        device: "cpu" or "gpu".
        gpu: index of the GPU, as `nvidia-smi` counts.
        stock_allocator: leave the C library's allocation of memory as it is.
        one_arena: else, let all threads share one arena (`ganjax.system.process` says when).
    """

    device: str
    gpu: int = 0
    stock_allocator: bool = False
    one_arena: bool = True

    def environment(self, precision: str, deterministic: bool) -> dict[str, str]:
        """The environment of a path's process: this one's, but for what would make paths differ."""
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


class Answering:
    """A process that answers questions: a JSON object a line, both ways, the first line unasked.

    Args:
        command: that starts it.
        log: what it says beside its answers.
        environment: all of its variables.
        folder: where it is started.
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
        """What it says first, unasked.

        Raises:
            PathFailed: it did not get that far.
        """
        return self._answer()

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """The answer to a question.

        Raises:
            PathFailed: the process failed, or is no more.
        """
        try:
            _pipe(self._process.stdin).write(json.dumps({"do": do, **more}) + "\n")
            _pipe(self._process.stdin).flush()
        except (BrokenPipeError, OSError):
            raise PathFailed(self._end()) from None
        return self._answer()

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):  # a question that it did not live to read
                _pipe(pipe).close()

    def _answer(self) -> dict[str, Any]:
        line = _pipe(self._process.stdout).readline()
        if not line.endswith("\n"):
            raise PathFailed(self._end())
        answer = json.loads(line)
        if "error" in answer:
            self._process.wait()
            raise PathFailed(answer["error"])
        return answer

    def _end(self) -> str:
        """How the process ended, in one line."""
        code = self._process.wait()
        if code < 0:
            return f"killed by signal {-code}" + " (too little memory?)" * (code == -9)
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return f"ended with code {code}: {lines[-1] if lines else 'it said nothing'}"


class Worker(Answering):
    """A path's process on one workload; it first says its `versions` and `device`, ready to train."""

    def __init__(
        self, python: str, path: str, folder: Path, deterministic: bool, environment: Mapping[str, str]
    ):
        """Start it, without waiting for anything."""
        module = f"benchmarks.throughput.paths.{MODULES[path]}"
        command = [python, "-m", module, str(folder), path, str(int(deterministic))]
        super().__init__(command, folder / f"{path}.log", environment, folder)


def prepare(
    python: str, folder: Path, workload: str, precision: str, device: str, environment: Mapping[str, str]
) -> None:
    """Have `benchmarks.throughput.preparation` fill `folder`.

    Raises:
        PathFailed: it did not.
    """
    folder.mkdir(parents=True)
    done = subprocess.run(
        [python, "-m", "benchmarks.throughput.preparation", str(folder), workload, precision, device],
        capture_output=True,
        text=True,
        env=dict(environment) | {"JAX_PLATFORMS": "cpu"},
        cwd=folder,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise PathFailed(f"the workload cannot be prepared: {lines[-1]}")


def probe(python: str, package: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What `package` ("jax" or "tensorflow") is like in an interpreter: `version`, `gpu`, its name or None.

    Raises:
        UserError: the interpreter cannot be run, or it cannot import the package.
    """
    command = [python, "-m", "benchmarks.throughput.paths.probe", package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=dict(environment))
    except OSError as error:
        raise UserError(f"cannot run {python}: {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise UserError(f"{python} has no working {package}: {lines[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def interpreters(jax_python: str | None, tensorflow_python: str | None) -> dict[str, str]:
    """The interpreter of each path; by default the one that runs this."""
    chosen = {
        "jax": jax_python or sys.executable,
        "tensorflow": tensorflow_python or sys.executable,
    }
    return {path: chosen["tensorflow" if path.startswith("tensorflow") else "jax"] for path in MODULES}


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
