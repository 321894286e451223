"""What each platform needs to give the same bits again: a program's business, before JAX starts."""

from __future__ import annotations

import os

from ganjax.processor import cores

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
