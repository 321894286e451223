"""Keras 3 models of generators and discriminators, and transforms that make them fast.

The networks are stock Keras layers, so that a saved ``.keras`` file loads without ganjax and on
any backend. Submodules are imported when one of their names is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganjax.networks.cartoon import cartoon_discriminator, cartoon_generator
    from ganjax.networks.dcgan import (
        dcgan_discriminator,
        dcgan_generator,
        original_discriminator,
        original_generator,
    )
    from ganjax.networks.dense import linear_discriminator, linear_generator, mlp
    from ganjax.networks.fast import fast_convolutions, fast_networks, fast_sines

_MODULES = {
    "cartoon_generator": "cartoon",
    "cartoon_discriminator": "cartoon",
    "fast_convolutions": "fast",
    "fast_networks": "fast",
    "fast_sines": "fast",
    "original_generator": "dcgan",
    "original_discriminator": "dcgan",
    "dcgan_generator": "dcgan",
    "dcgan_discriminator": "dcgan",
    "linear_generator": "dense",
    "linear_discriminator": "dense",
    "mlp": "dense",
}

__all__ = [
    "cartoon_discriminator",
    "cartoon_generator",
    "dcgan_discriminator",
    "dcgan_generator",
    "fast_convolutions",
    "fast_networks",
    "fast_sines",
    "linear_discriminator",
    "linear_generator",
    "mlp",
    "original_discriminator",
    "original_generator",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
