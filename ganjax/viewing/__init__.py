"""Plots, image grids, films and HTML reports of a GAN's samples and training.

Every function works without a display, never calls `show()`, and takes plain arrays (NumPy, JAX, or
anything `numpy.asarray` accepts). A function that draws on an axis takes an optional `ax` and
returns the axis it drew on. Matplotlib and Pillow are imported when the first picture is made, so
importing this package is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganjax.viewing.curves import plot_curves, save_curves
    from ganjax.viewing.distributions import plot_distribution, plot_landscape
    from ganjax.viewing.film import save_film
    from ganjax.viewing.grids import image_grid, labelled_grid, plot_images, save_grid, to_uint8
    from ganjax.viewing.reports.comparison import save_comparison
    from ganjax.viewing.reports.report import save_report
    from ganjax.viewing.saving import save_figure, save_image
    from ganjax.viewing.sweeps import plot_sweep, save_sweep

__all__ = [
    "image_grid",
    "labelled_grid",
    "plot_curves",
    "plot_distribution",
    "plot_images",
    "plot_landscape",
    "plot_sweep",
    "save_comparison",
    "save_curves",
    "save_figure",
    "save_film",
    "save_grid",
    "save_image",
    "save_report",
    "save_sweep",
    "to_uint8",
]

_MODULES = {
    "image_grid": "grids",
    "labelled_grid": "grids",
    "plot_curves": "curves",
    "plot_distribution": "distributions",
    "plot_images": "grids",
    "plot_landscape": "distributions",
    "plot_sweep": "sweeps",
    "save_comparison": "reports.comparison",
    "save_curves": "curves",
    "save_figure": "saving",
    "save_film": "film",
    "save_grid": "grids",
    "save_image": "saving",
    "save_report": "reports.report",
    "save_sweep": "sweeps",
    "to_uint8": "grids",
}


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
