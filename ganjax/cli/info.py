"""`ganjax info`: versions, devices, cache folder and experiments."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ganjax.cli.libraries import devices
from ganjax.cli.parsing import parse
from ganjax.experiments import EXPERIMENTS


@dataclasses.dataclass(frozen=True)
class Info:
    """Show versions, devices, cache folder and experiments.

    ganjax info
    """

    cache_dir: str | None = None
    """Folder for downloads and prepared pictures, instead of the default one."""


def run(words: Sequence[str]) -> int:
    """Run `ganjax info` with these words; returns the exit code."""
    asked = parse(Info, words, "ganjax info")

    found = devices()

    from ganjax.system.environment import versions
    from ganjax.system.files import cache_folder

    cache = cache_folder(asked.cache_dir)
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) / 1e6
    facts = {
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "devices": ", ".join(f"{device.platform}:{device.id} {device.device_kind}" for device in found),
        "cache": f"{cache} ({size:.0f} MB)",
        "experiments": ", ".join(EXPERIMENTS),
    }
    for name, fact in facts.items():
        print(f"{name:<12} {fact}")
    return 0
