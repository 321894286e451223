"""On what a run's bits depend beside its settings: versions, processor, threads, flags."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

import ganjax
from ganjax.system.process import is_deterministic, processor, threads

FLAGS = ("XLA_FLAGS", "JAX_DEFAULT_MATMUL_PRECISION", "JAX_ENABLE_X64", "NVIDIA_TF32_OVERRIDE")

# What XLA looks for before it chooses instructions; the dozens of other flags change no program.
INSTRUCTIONS = re.compile(r"sse4_\d|avx\w*|fma|f16c|amx\w*|asimd|sve\w*|bf16")


def environment() -> dict[str, Any]:
    """Everything outside of a run's settings that its bits may depend on, as JSON values."""
    name, flags = processor()
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "backend": jax.default_backend(),
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        "processor": name,
        "instructions": " ".join(sorted(filter(INSTRUCTIONS.fullmatch, flags))),
        "threads": threads(),
        "deterministic": is_deterministic(),
        "flags": {name: os.environ[name] for name in FLAGS if name in os.environ},
    }


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """What differs between two environments, a line each: `"versions jax: 0.10.2, here 0.12.0"`."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return ["all that is known of one of them"]
    lines = []
    for name in sorted(one.keys() | other.keys()):
        a, b = one.get(name), other.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            lines += differences(a, b, f"{path}{name} ")
        elif name == "instructions":
            mine, its = set(str(b or "").split()), set(str(a or "").split())
            lines += [f"instructions not here: {' '.join(sorted(its - mine))}"] if its - mine else []
            lines += [f"instructions only here: {' '.join(sorted(mine - its))}"] if mine - its else []
        elif a != b:
            lines.append(f"{path}{name}: {_said(a)}, here {_said(b)}")
    return lines


def versions() -> dict[str, str]:
    """Versions of ganjax (with its commit where that is known), of Python and of what results depend on."""
    packages = ("jax", "jaxlib", "keras", "optax", "numpy")
    installed = {name: importlib.metadata.version(name) for name in packages}
    commit = _commit()
    named = {"ganjax": ganjax.__version__} | ({"ganjax commit": commit} if commit else {})
    return named | {"python": platform.python_version(), **installed}


@functools.cache
def _commit() -> str | None:
    """The commit ganjax was installed from or stands at, `-modified` where files have changed since."""
    try:
        origin = importlib.metadata.distribution("ganjax").read_text("direct_url.json")
        known = json.loads(origin or "{}").get("vcs_info", {}).get("commit_id")
        if known:
            return known
    except (importlib.metadata.PackageNotFoundError, ValueError):
        pass
    root, git = Path(ganjax.__file__).parent.parent, shutil.which("git")
    if not git or not (root / ".git").exists():
        return None
    commit = _output([git, "-C", str(root), "rev-parse", "HEAD"])
    changes = _output([git, "--no-optional-locks", "-C", str(root), "status", "--porcelain", "--", "ganjax"])
    return f"{commit}-modified" if commit and changes else commit


def _output(command: list[str]) -> str | None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def _said(value: Any) -> str:
    return "nothing" if value is None else str(value)
