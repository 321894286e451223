"""What results say about the machine and the command of a benchmark, without names of people or folders."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import nvidia
from ganjax.system.process import cores, processor

# Words of a device's name that are left out of the names of folders.
_NOISE = re.compile(
    r"nvidia|tesla|geforce|gpu|cpu|graphics|processor|design|with|gen|sxm\d*|pcie|nvl|hbm\w*|\d+(gb|th|nd|rd|st)"
    r"|\d+core|core|@.*|[\d.]+ghz"
)


def describe(gpu: int | None = None) -> dict[str, Any]:
    """This machine, as JSON values.

    Args:
        gpu: index of the GPU that is measured, as `nvidia-smi` counts; None for a run on the CPU.

    Returns:
        `processor` (its name), `instructions` (the widest vectors: "AVX-512", "AVX2", ...), `cores` (those
        that this process may use), `memory_bytes`, `system`, `python`, `gpus` (of `nvidia.gpus`), `gpu` (the
        argument) and `gpu_note` (why no GPU is listed, or None).
    """
    name, flags = processor()
    gpus, note = nvidia.gpus()
    return {
        "processor": name,
        "instructions": instructions(flags),
        "cores": cores(),
        "memory_bytes": memory(),
        "system": system(),
        "python": platform.python_version(),
        "gpus": gpus,
        "gpu": gpu,
        "gpu_note": note,
    }


def instructions(flags: set[str]) -> str:
    """The widest vector instructions among a processor's flags, and those that multiply bfloat16."""
    kinds = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"), ("sve", "SVE"), ("asimd", "NEON"))
    width = next((kind for flag, kind in kinds if flag in flags), "unknown")
    bfloat16 = sorted(flags & {"amx_bf16", "avx512_bf16", "bf16"})
    return f"{width} ({', '.join(bfloat16)})" if bfloat16 else width


def memory() -> int | None:
    """Bytes of main memory, or None if the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def system() -> str:
    """Operating system, its release, and the C library, whose allocator matters."""
    library = " ".join(part for part in platform.libc_ver() if part)
    return ", ".join(part for part in (f"{platform.system()} {platform.release()}", library) if part)


def slug(machine: dict[str, Any]) -> str:
    """A short name for folders: `gpu-h100`, or `cpu-2x-amd-epyc-avx512`."""
    measured = [gpu for gpu in machine["gpus"] if gpu["index"] == machine["gpu"]]
    if machine["gpu"] is not None:
        return "-".join(["gpu", *_words(measured[0]["name"] if measured else "unknown")])
    words = _words(machine["processor"])[:2] or ["unknown"]
    width = machine["instructions"].split()[0].lower().replace("-", "")
    return "-".join(["cpu", f"{machine['cores']}x", *words, width])


def sentence(machine: dict[str, Any]) -> str:
    """The machine in one line of text."""
    gibibytes = f", {machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else ""
    line = f"{machine['cores']} cores of {machine['processor']}, {machine['instructions']}{gibibytes}"
    for gpu in machine["gpus"]:
        if gpu["index"] == machine["gpu"]:
            line = f"{nvidia.sentence(gpu)}; {line}"
    return f"{line}; {machine['system']}"


def command_line(command: str, words: Sequence[str]) -> list[str]:
    """`python -m benchmarks COMMAND ...` as a list; absolute paths are shortened to their last part."""
    short = [Path(word).name if Path(word).is_absolute() else word for word in words]
    return ["python", "-m", "benchmarks", command, *short]


def _words(name: str) -> list[str]:
    name = re.sub(r"\((r|tm|c)\)", "", name.lower())
    words = re.sub(r"(\d+)-core", r"\1core", name).replace("-", " ").split()
    return [re.sub(r"[^a-z0-9]", "", word) for word in words if not _NOISE.fullmatch(word)]
