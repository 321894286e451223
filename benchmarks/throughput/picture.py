"""A bar chart of the throughput of every path on every workload."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from benchmarks.throughput.results import Results, Row, best_tensorflow, groups, mark, ratio
from ganjax.viewing import style
from ganjax.viewing.saving import save_figure

COLUMNS = 3
LOOKS = {  # colour and hatch by the start of a path's name, so that bars also differ without colour
    "ganjax": (style.BLUE, ""),
    "tensorflow": (style.ORANGE, "///"),
    "keras": (style.GREY, "..."),
}


def draw(results: Results, path: str | Path) -> Path:
    """Save bars of steps per second with their spread, and the ratio to the best TensorFlow path on each.

    There is one panel for each workload and precision, and one bar for each path. For a path that failed or
    is not comparable, the panel says so. Returns the path of the PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = groups(results["rows"])
    columns = min(COLUMNS, max(1, len(panels)))
    lines = max(1, -(-len(panels) // columns))
    tallest = max((len(rows) for rows in panels.values()), default=1)
    size = (3.9 * columns + 0.6, (0.62 + 0.23 * tallest) * lines)
    figure: Any = Figure(figsize=size, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax, ((workload, precision, deterministic), rows) in zip(axes, panels.items(), strict=False):
        _panel(ax, rows)
        words = [workload, f"batch {rows[0]['batch']}", precision]
        words += [f"{rows[0]['seeds']} seeds"] * (rows[0]["seeds"] > 1) + ["deterministic"] * deterministic
        ax.set_title(", ".join(words), fontsize=9, loc="left")
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    figure.supxlabel("steps per second; on each bar the ratio to the better TensorFlow path", fontsize=9)
    return save_figure(path, figure)


def _panel(ax: Any, rows: list[Row]) -> None:
    base = best_tensorflow(rows)
    for place, row in enumerate(rows):
        rates = [1 / seconds for seconds in row.get("seconds_per_step") or []]
        middle = statistics.median(rates) if rates else 0.0
        colour, hatch = LOOKS[row["path"].split("-")[0]]
        ax.barh(place, middle, 0.72, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        if rates:
            ends = [[middle - min(rates)], [max(rates) - middle]]
            ax.errorbar(middle, place, xerr=ends, color=style.BLACK, linewidth=1.1, capsize=2.5)
        farthest = max(rates, default=0.0)
        ax.annotate(
            _label(row, base),
            (farthest, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            fontweight="bold" if row["path"].startswith("ganjax") else "normal",
        )
    ax.set_yticks(range(len(rows)), [row["path"] for row in rows], fontsize=8)
    ax.invert_yaxis()
    ax.tick_params(axis="x", labelsize=7)
    ax.margins(x=0.3)  # space for the words at the end of the longest bar
    ax.set_xlim(left=0)
    ax.locator_params(axis="x", nbins=5)
    style.tidy(ax)


def _label(row: Row, base: Row | None) -> str:
    found = ratio(row, base)
    if found is None:
        return mark(row) or ""
    return f"{found.median:.2f}x" if found.median < 10 else f"{found.median:.0f}x"
