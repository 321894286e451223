"""What a run's results depend on besides its settings: versions, processor, threads, flags."""

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
from ganjax.system.keras_settings import DEFAULTS, keras_settings
from ganjax.system.process import is_deterministic, processor, threads

FLAGS = ("XLA_FLAGS", "NVIDIA_TF32_OVERRIDE")
JAX_SETTINGS = {  # that change results, with their defaults
    "jax_default_matmul_precision": None,
    "jax_default_prng_impl": "threefry2x32",
    "jax_disable_jit": False,
    "jax_enable_x64": False,
    "jax_random_seed_offset": 0,
    "jax_threefry_partitionable": True,
}

# The processor flags that XLA looks at to choose instructions; dozens of others make no difference.
INSTRUCTIONS = re.compile(r"sse4_\d|avx\w*|fma|f16c|amx\w*|asimd|sve\w*|bf16")


def environment() -> dict[str, Any]:
    """Everything outside a run's settings that may change its results, as JSON values."""
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
        "flags": _flags(),
    }


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """What differs between two environments, one line each: `"versions jax: 0.10.2, here 0.12.0"`."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return ["one of the two environments is unknown"]
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
            lines.append(f"{path}{name}: {_shown(a)}, here {_shown(b)}")
    return lines


def versions() -> dict[str, str]:
    """Versions of ganjax (with its commit, if known), Python and the packages that results depend on."""
    packages = ("jax", "jaxlib", "keras", "optax", "numpy")
    installed = {name: importlib.metadata.version(name) for name in packages}
    commit = _commit()
    named = {"ganjax": ganjax.__version__} | ({"ganjax commit": commit} if commit else {})
    return named | {"python": platform.python_version(), **installed}


def _flags() -> dict[str, str]:
    """Environment variables, and settings of JAX and Keras that are not default, that may change results."""
    flags = {name: os.environ[name] for name in FLAGS if name in os.environ}
    for name, default in JAX_SETTINGS.items():
        value = getattr(jax.config, name, default)
        if value != default:
            flags[name.upper()] = str(value)
    for name, value in keras_settings().items():
        if value != DEFAULTS[name]:
            flags[f"keras {name}"] = str(value)
    return flags


@functools.cache
def _commit() -> str | None:
    """The commit of this copy of ganjax, ending in `-modified` if its files were changed; None if unknown."""
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


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
