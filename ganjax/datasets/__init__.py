"""Where real samples come from: toy landscapes, rendered cartoon faces, pictures by name, address or path.

Names are looked up when first used, so importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganjax.datasets import archives as archives
    from ganjax.datasets import avatars as avatars
    from ganjax.datasets import batches as batches
    from ganjax.datasets import cache as cache
    from ganjax.datasets import catalogue as catalogue
    from ganjax.datasets import downloaded as downloaded
    from ganjax.datasets import downloads as downloads
    from ganjax.datasets import folders as folders
    from ganjax.datasets import images as images
    from ganjax.datasets import labels as labels
    from ganjax.datasets import names as names
    from ganjax.datasets import partial as partial
    from ganjax.datasets import sources as sources
    from ganjax.datasets import toy as toy
    from ganjax.datasets.avatars import load_avatars as load_avatars
    from ganjax.datasets.avatars import render_avatars as render_avatars
    from ganjax.datasets.batches import Resident as Resident
    from ganjax.datasets.batches import Sampled as Sampled
    from ganjax.datasets.batches import Whole as Whole
    from ganjax.datasets.cache import cache_folder as cache_folder
    from ganjax.datasets.catalogue import CATALOGUE as CATALOGUE
    from ganjax.datasets.folders import load_images as load_images
    from ganjax.datasets.images import ImageSet as ImageSet
    from ganjax.datasets.sources import load as load

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
    "labels", "names", "partial", "sources", "toy",
)  # fmt: skip


__all__ = [
    "CATALOGUE",
    "ImageSet",
    "Resident",
    "Sampled",
    "Whole",
    "cache_folder",
    "load",
    "load_avatars",
    "load_images",
    "render_avatars",
    "toy",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_HOMES, *_MODULES])
