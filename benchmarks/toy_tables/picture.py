"""A picture of samples of every recipe on every distribution, over the discriminator's logits."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.toy_tables.plan import PERFECT
from ganjax.viewing import style
from ganjax.viewing.saving import save_bytes

COLOURS = 48  # of the file, to keep it small
POINTS = 1200  # samples drawn in each panel


def draw(
    path: Path,
    rows: Sequence[str],
    columns: Mapping[str, float],
    runs: Mapping[tuple[str, str], Mapping[str, np.ndarray]],
) -> Path:
    """Save a panel for each recipe (rows) and landscape (columns); returns the path of the PNG file.

    Args:
        rows: titles of the rows below the first one, which has real points.
        columns: landscape -> extent; a panel shows [-extent, extent]^2.
        runs: (title, landscape) -> arrays: `samples` `(n, dim)`, whose first two coordinates are drawn, and
            optionally `surface`, D's logits `(m, m)`. A panel without a run is empty.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    titles = [PERFECT, *rows]
    size = (1.75 * len(columns) + 0.3, 1.75 * len(titles) + 0.3)
    figure: Any = Figure(figsize=size, dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(titles), len(columns), squeeze=False)
    for i, title in enumerate(titles):
        for ax, (landscape, extent) in zip(axes[i], columns.items(), strict=True):
            _panel(ax, runs.get((title, landscape)), extent, style.GENERATED if i else style.REAL)
        axes[i][0].set_ylabel(title if i else "real", fontsize=8)
    for ax, landscape in zip(axes[0], columns, strict=True):
        ax.set_title(landscape, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi, facecolor="white")
    return save_bytes(path, _few_colours(buffer))


def _panel(ax: Any, run: Mapping[str, np.ndarray] | None, extent: float, colour: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlim(-extent, extent)
    ax.set_ylim(-extent, extent)
    ax.set_aspect("equal")
    for spine in ax.spines.values():
        spine.set_color("#BBBBBB")
    if run is None:
        return
    if "surface" in run:
        colours = LinearSegmentedColormap.from_list("generated to real", style.LANDSCAPE)
        corners = (-extent, extent, -extent, extent)
        ax.imshow(_steps(run["surface"]), cmap=colours, vmin=0, vmax=1, extent=corners, origin="lower")
    points = run["samples"][:POINTS]
    ax.scatter(
        points[:, 0],
        points[:, 1] if points.shape[1] > 1 else np.zeros(len(points)),
        s=2.5,
        color=colour,
        edgecolor=style.BLACK,
        linewidth=0.15,
    )


def _steps(logits: np.ndarray) -> np.ndarray:
    """Logits rounded to eight levels in [0, 1], the range from their 2nd to their 98th percentile.

    Many losses (Wasserstein, relativistic) do not determine level and scale of the logits, so each panel has
    its own range.
    """
    finite = logits[np.isfinite(logits)]
    if not finite.size:
        return np.full(logits.shape, np.nan)
    low, high = np.percentile(finite.astype(np.float64), (2, 98))
    height = (logits - low) / (high - low) if high > low else np.full(logits.shape, 0.5)
    return (np.floor(np.clip(height, 0, 0.999) * 8) + 0.5) / 8


def _few_colours(buffer: io.BytesIO) -> bytes:
    from PIL import Image

    picture = Image.open(buffer).convert("RGB")
    picture = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small = io.BytesIO()
    picture.save(small, format="PNG", optimize=True)
    return small.getvalue()
