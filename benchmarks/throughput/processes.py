"""The processes of the throughput suite: one for each path that is timed, and those that prepare or look.

The process that starts them needs neither JAX nor Keras, and measures no time itself: see
`paths/protocol.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.workers import WorkerFailed, WorkerProcess
from ganjax.system.errors import UserError

MODULES = {
    "ganjax-step": "ganjax_pure",
    "ganjax-chunk": "ganjax_pure",
    "keras-jax": "keras_jax",
    "tensorflow-graph": "tensorflow_keras",
    "tensorflow-xla": "tensorflow_keras",
}
"""Every path, and the module of `benchmarks.throughput.paths` that runs it."""


class PathProcess(WorkerProcess):
    """The worker of one path on one workload. It first sends its `versions` and `device`."""

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
    """Run `benchmarks.throughput.preparation`, which writes the workload's folder.

    Raises:
        WorkerFailed: it failed.
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
        lines = done.stderr.strip().splitlines() or ["it printed nothing"]
        raise WorkerFailed(f"the workload cannot be prepared: {lines[-1]}")


def probe(python: str, package: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The `version` of "jax" or "tensorflow" in an interpreter, and the name of its first `gpu` or None.

    Raises:
        UserError: the interpreter cannot be run, or it cannot import the package.
    """
    command = [python, "-m", "benchmarks.throughput.paths.probe", package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=dict(environment))
    except OSError as error:
        raise UserError(f"cannot run {python}: {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it printed nothing"]
        raise UserError(f"{python} has no working {package}: {lines[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def interpreters(jax_python: str | None, tensorflow_python: str | None) -> dict[str, str]:
    """The interpreter of each path; by default the one that runs this program."""
    chosen = {
        "jax": jax_python or sys.executable,
        "tensorflow": tensorflow_python or sys.executable,
    }
    return {path: chosen["tensorflow" if path.startswith("tensorflow") else "jax"] for path in MODULES}
