"""Where real samples come from: toy landscapes, rendered cartoon faces, pictures by name, address or path.

Names are looked up when first used, so importing this package costs nothing.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "ImageSet": "images",
    "Resident": "batches",
    "Sampled": "batches",
    "Whole": "batches",
    "cache_folder": "cache",
    "CATALOGUE": "catalogue",
    "load": "sources",
    "load_avatars": "avatars",
    "render_avatars": "avatars",
    "load_images": "folders",
}
_MODULES = (
    "archives", "avatars", "batches", "cache", "catalogue", "downloaded", "downloads", "folders", "images",
    "labels", "partial", "sources", "toy",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_HOMES, *_MODULES])
