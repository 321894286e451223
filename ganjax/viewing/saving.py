"""Writing pictures to files atomically; the same picture gives the same bytes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganjax.system.files import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure


def save_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write `data` to `path` atomically: a reader finds the old file or the whole new one.

    The folder is made if it does not exist. Returns the path; raises OSError if the file cannot be
    written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        temporary.write_bytes(data)
    return path


def save_image(path: str | os.PathLike[str], pixels: np.ndarray) -> Path:
    """Save one picture, uint8 `(height, width, 3)` or `(height, width)`, as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG", optimize=True)
    return save_bytes(path, buffer.getvalue())


def save_figure(path: str | os.PathLike[str], figure: Figure | SubFigure) -> Path:
    """Save a Matplotlib figure as a PNG file at the figure's own resolution.

    The name and version of the software is left out of the metadata, so that equal figures give
    equal bytes.
    """
    figure = figure.get_figure(root=True)  # if `figure` is a part of another
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi, metadata={"Software": None})
    return save_bytes(path, buffer.getvalue())


def figure_pixels(figure: Figure) -> np.ndarray:
    """Draw a Matplotlib figure and return its pixels, uint8 `(height, width, 3)`, on white."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi, facecolor="white")
    return np.asarray(Image.open(buffer).convert("RGB"))
