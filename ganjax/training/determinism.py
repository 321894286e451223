"""What each platform needs to give the same bits again: a program's business, before JAX starts."""

from __future__ import annotations

import os

XLA_FLAGS = (
    "--xla_gpu_deterministic_ops=true",  # no kernel that adds up in whatever order its threads come
    "--xla_gpu_autotune_level=0",  # no choice of kernels by how long they took today
)


def make_deterministic() -> None:
    """Ask XLA for kernels that always give the same bits, by its flags in the environment.

    On CPUs nothing is needed: see "What is promised" in README. On GPUs it costs speed. A flag that the user
    has set stands.
    """
    flags = _flags()
    names = {flag.split("=")[0] for flag in flags}
    flags += [flag for flag in XLA_FLAGS if flag.split("=")[0] not in names]
    os.environ["XLA_FLAGS"] = " ".join(flags)


def is_deterministic() -> bool:
    """Whether XLA was asked for such kernels, by `make_deterministic` or by the user."""
    return set(XLA_FLAGS) <= set(_flags())


def _flags() -> list[str]:
    return os.environ.get("XLA_FLAGS", "").split()
