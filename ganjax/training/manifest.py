"""What a manifest says of a run: what was asked for, and on what it ran."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import jax

import ganjax


def describe(experiment: Any, key: jax.Array) -> dict[str, Any]:
    """The manifest's part that is known before the first step, as JSON values.

    Args:
        experiment: a dataclass with a `name` and a `gan`, whose latent distribution is a dataclass too.
        key: the run's PRNG key, from which the initial weights and every step draw.
    """
    settings = {field.name: getattr(experiment, field.name) for field in dataclasses.fields(experiment)}
    return {
        "experiment": experiment.name,
        "settings": {name: _plain(value) for name, value in settings.items()},
        "latent": dataclasses.asdict(experiment.gan.latent),
        "key": jax.random.key_data(key).tolist(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "platform": platform.platform(),
        "device": jax.devices()[0].device_kind,
        "processors": os.cpu_count(),
    }


def versions() -> dict[str, str]:
    """Versions of ganjax, of Python and of the packages results depend on."""
    packages = ("jax", "jaxlib", "keras", "optax", "numpy")
    installed = {name: importlib.metadata.version(name) for name in packages}
    return {"ganjax": ganjax.__version__, "python": platform.python_version(), **installed}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
