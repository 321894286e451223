"""Where real samples come from: toy landscapes, rendered cartoon faces, pictures by name, address or path.

Modules are imported when one of their names is first used, so importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganjax.datasets import avatars, toy
    from ganjax.datasets.avatars import load_avatars, render_avatars
    from ganjax.datasets.batches import Resident, Sampled, Source, Whole
    from ganjax.datasets.catalogue import CATALOGUE
    from ganjax.datasets.conditions import Condition
    from ganjax.datasets.folders import load_images
    from ganjax.datasets.images import ImageSet
    from ganjax.datasets.sources import load
    from ganjax.system.files import cache_folder

__all__ = [
    "CATALOGUE",
    "Condition",
    "ImageSet",
    "Resident",
    "Sampled",
    "Source",
    "Whole",
    "avatars",
    "cache_folder",
    "load",
    "load_avatars",
    "load_images",
    "render_avatars",
    "toy",
]

_HOMES = {
    "CATALOGUE": "catalogue",
    "Condition": "conditions",
    "ImageSet": "images",
    "Resident": "batches",
    "Sampled": "batches",
    "Source": "batches",
    "Whole": "batches",
    "cache_folder": "cache",
    "load": "sources",
    "load_avatars": "avatars",
    "load_images": "folders",
    "render_avatars": "avatars",
}
_MODULES = ("avatars", "toy")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
