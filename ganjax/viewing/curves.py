"""Training curves: losses, and the discriminator's mean logits and accuracies, over the steps."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganjax.system.errors import UserError
from ganjax.viewing import style
from ganjax.viewing.saving import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Columns = Mapping[str, Sequence[float] | np.ndarray]
Metrics = Columns | Sequence[Mapping[str, Any]] | str | os.PathLike[str]

LOSSES = ("generator_loss", "discriminator_loss")

# The panels of `save_curves`: y label, columns, and the level of an undecided discriminator.
PANELS = (
    ("loss", LOSSES, None),
    ("mean logit of D", ("real_logits", "fake_logits"), 0.0),
    ("accuracy of D", ("real_accuracy", "fake_accuracy"), 0.5),
)

# Lines of real data or the discriminator are blue and dashed, as in all other plots.
_STYLES = {
    "generator_loss": 0,
    "discriminator_loss": 1,
    "fake_logits": 0,
    "real_logits": 1,
    "fake_accuracy": 0,
    "real_accuracy": 1,
    "generator_gradient_norm": 0,
    "discriminator_gradient_norm": 1,
}


def read_metrics(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a run's `metrics.csv` into a float64 array of shape `(rows,)` for each column.

    Whatever is not a number becomes NaN: an empty cell, or cells missing in an interrupted last line.

    Raises:
        UserError: the file cannot be read, or has no header or no rows.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read metrics from {os.fspath(path)}: {error}") from error
    rows = [row for row in rows if row]
    if not header or not rows:
        raise UserError(f"{os.fspath(path)} holds no metrics: a header and rows are needed")
    return {
        name: np.array([_number(row[i]) if i < len(row) else math.nan for row in rows])
        for i, name in enumerate(header)
    }


def smooth(values: Any, smoothing: float) -> np.ndarray:
    """Return the bias-corrected exponential moving average of `values`, float64 `(n,)`.

    `m[t] = s m[t-1] + (1 - s) x[t]`, divided by `1 - s^k` after the k-th finite value, as in Adam
    (Kingma and Ba, 2015, section 3), so that the curve starts at the first value and not at zero.
    Where a value is not finite the result is NaN, and later results do not depend on it.

    Raises:
        ValueError: `smoothing` is not in [0, 1).
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be in [0, 1), not {smoothing}")
    values = np.asarray(values, dtype=np.float64)
    result = np.full(values.shape, math.nan)
    mean, weight = 0.0, 0.0
    for i in np.flatnonzero(np.isfinite(values)):
        mean = smoothing * mean + (1 - smoothing) * values[i]
        weight = smoothing * weight + (1 - smoothing)
        result[i] = mean / weight
    return result


def smoothing_for(rows: int) -> float:
    """The smoothing with which each average covers about a fiftieth of this many rows."""
    return max(0.0, 1 - 50 / rows)


def shown_range(values: np.ndarray) -> tuple[float, float]:
    """The range to show of finite values, at least one.

    The 1 % most extreme values are left out if they would take up most of the space.
    """
    low, high = values.min(), values.max()
    inner_low, inner_high = np.percentile(values, [0.5, 99.5])
    if high - low > 2 * (inner_high - inner_low) > 0:
        low, high = inner_low, inner_high
    margin = 0.06 * (high - low) or 0.06 * max(1.0, abs(high))
    return float(low - margin), float(high + margin)


def plot_curves(
    metrics: Metrics,
    *,
    ax: Axes | None = None,
    columns: Sequence[str] = LOSSES,
    smoothing: float | None = None,
) -> Axes:
    """Draw columns of a run's metrics over its steps: values as faint lines, averages as bold ones.

    Args:
        metrics: columns by name, each of shape `(rows,)`; or one mapping for each step, such as `train_step`
            returns; or the path of a `metrics.csv`. Steps are in the column `step`; without it, rows are
            counted.
        ax: the axis to draw on; without one, a new figure is made.
        columns: the columns to draw; by default both losses.
        smoothing: see `smooth`; by default each average covers about a fiftieth of the rows, and
            50 rows or fewer are not smoothed.

    Returns:
        The axis drawn on. If the 1 % most extreme values would take up most of its height, they are
        outside its range. Values that are not finite are counted in the legend.

    Raises:
        UserError: the file cannot be read.
        ValueError: a column is missing or empty, differs from `step` in length, or `smoothing` is
            not in [0, 1).
    """
    table = _table(metrics)
    if ax is None:
        ax = style.new_axes(6.4, 4.0)
    _draw(ax, table, columns, smoothing)
    ax.set_xlabel("step")
    if tuple(columns) == LOSSES:
        ax.set_ylabel("loss")
    style.legend_below(ax, ax.get_lines()[1::2])
    return ax


def save_curves(path: str | os.PathLike[str], metrics: Metrics, *, smoothing: float | None = None) -> Path:
    """Save a run's curves as a PNG file: losses, and the discriminator's logits and accuracies.

    Below the losses are the discriminator's mean logits and accuracies on real and on generated
    batches, if `metrics` has them, with the level at which it is undecided.

    Args:
        path: of the PNG file; an error leaves no part of it behind.
        metrics: as for `plot_curves`.
        smoothing: as for `plot_curves`.

    Returns:
        The path.

    Raises:
        OSError: the picture cannot be written.
        UserError: the metrics cannot be read.
        ValueError: none of the columns to draw is there; and whatever `plot_curves` raises.
    """
    table = _table(metrics)
    panels = [
        (label, [name for name in names if name in table], level)
        for label, names, level in PANELS
        if any(name in table for name in names)
    ]
    if not panels:
        raise ValueError("metrics hold neither losses nor logits nor accuracies: nothing to draw")
    axes = style.stacked_axes(7.2, 0.8 + 2.3 * len(panels), len(panels))
    for ax, (label, names, level) in zip(axes, panels, strict=True):
        _draw(ax, table, names, smoothing)
        ax.set_ylabel(label)
        if level is not None:
            ax.axhline(level, color=style.GREY, linewidth=1.0, linestyle=":", zorder=1)
        if label.startswith("accuracy"):
            ax.set_ylim(-0.03, 1.03)
        # Only the lowest panel has tick labels and an axis label between it and the legend.
        gap = 38 if ax is axes[-1] else 8
        style.legend_below(ax, ax.get_lines()[1 : 2 * len(names) : 2], gap=gap)
    axes[-1].set_xlabel("step")
    figure: Any = axes[0].get_figure()
    return save_figure(path, figure)


def _table(metrics: Metrics) -> dict[str, np.ndarray]:
    if isinstance(metrics, Mapping):
        return {name: np.asarray(column) for name, column in metrics.items()}
    if isinstance(metrics, str | os.PathLike):
        return read_metrics(metrics)
    rows = list(metrics)
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise TypeError(
            "metrics must be a path, columns by name, or one mapping for each step, "
            f"got {type(metrics).__name__}{' of ' + type(rows[0]).__name__ if rows else ' without rows'}"
        )
    return {name: np.asarray([row.get(name, math.nan) for row in rows]) for name in rows[0]}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return {"True": 1.0, "False": 0.0}.get(text, math.nan)


def _draw(ax: Axes, table: dict[str, np.ndarray], columns: Sequence[str], smoothing: float | None) -> None:
    """Draw a faint line and a bold one, in this order, for each column."""
    absent = [name for name in columns if name not in table]
    if absent:
        raise ValueError(f"metrics have no column {absent[0]!r}; they have: {', '.join(table)}")
    style.tidy(ax)
    drawn, steps = [], np.zeros(1)
    for i, name in enumerate(columns):
        values = np.asarray(table[name], dtype=np.float64)
        steps = np.asarray(table.get("step", np.arange(len(values))), dtype=np.float64)
        if not len(values) or steps.shape != values.shape:
            raise ValueError(
                f"column {name!r} has shape {values.shape} but steps have shape {steps.shape}: "
                "each needs the same number of rows, at least one"
            )
        finite = np.isfinite(values)
        values = np.where(finite, values, math.nan)
        average = smooth(values, smoothing_for(len(values)) if smoothing is None else smoothing)
        label = name.replace("_", " ")
        if not finite.all():
            label += f" ({np.count_nonzero(~finite)} not finite)"
        kind = _STYLES.get(name, i % len(style.COLOURS))
        colour, dashes = style.COLOURS[kind], style.DASHES[kind]
        ax.plot(steps, values, color=colour, alpha=0.3, linewidth=0.8)
        # A line through a single value has no length; a mark shows it.
        look: dict[str, Any] = {"linestyle": dashes, "linewidth": 1.8}
        if len(values) == 1:
            look = {"linestyle": "none", "marker": style.MARKERS[kind]}
        ax.plot(steps, average, color=colour, label=label, **look)
        drawn.append(values[finite])
    ax.locator_params(axis="x", integer=True)
    if steps.min() == steps.max():
        # A narrower range would have ticks between whole steps.
        ax.set_xlim(steps[0] - 1, steps[0] + 1)
    values = np.concatenate(drawn)
    if len(values):
        ax.set_ylim(*shown_range(values))
