"""Which processor this is, and how much of it this process may use."""

from __future__ import annotations

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
