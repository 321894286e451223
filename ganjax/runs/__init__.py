"""What a run leaves on disk, and how it is read back: folder, manifest, checkpoints, metrics, models."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganjax.runs.checkpointer import CheckpointPolicy as CheckpointPolicy
    from ganjax.runs.interval import Interval as Interval
    from ganjax.runs.run_folder import RunFolder as RunFolder
    from ganjax.runs.saved_models import SavedGenerator as SavedGenerator

_MODULE_OF = {
    "CheckpointPolicy": "checkpointer",
    "Interval": "interval",
    "RunFolder": "run_folder",
    "SavedGenerator": "saved_models",
}

__all__ = ["CheckpointPolicy", "Interval", "RunFolder", "SavedGenerator"]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
