"""Plots of a sweep: scores over the values of a hyperparameter, with the spread between seeds."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganjax.viewing import style
from ganjax.viewing.saving import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]

SEED = "seed"  # the first column after the hyperparameters
DIVERGED = "diverged_at"  # 0 for a run that did not diverge
DECADE = 10.0  # smallest ratio of the largest to the least value for which the axis may be logarithmic
LABELLED = 9  # largest number of values for which each has a tick of its own
APART = 0.06  # smallest distance between two of these ticks, as a fraction of the axis's width


def plot_sweep(
    rows: Rows, hyperparameter: str, score: str, *, perfect: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a score over a hyperparameter: each seed as a faint mark, and the mean of the seeds as a line.

    The band around the mean is one standard error wide on either side: `s / sqrt(n)`, where s is the sample
    standard deviation of the n seeds. There is no band where a value has a single seed. If other
    hyperparameters have several values in `rows`, each combination of them gets its own line. Runs that
    diverged, and scores that are not finite, are left out of mean and band; crosses at the lower edge show
    where they are and how many.

    Args:
        rows: those of `ganjax.populations.sweep`, or of its table: hyperparameters, "seed", "diverged_at"
            and scores by name, in this order.
        hyperparameter: its name. The axis is logarithmic if the values span at least a decade and are more
            evenly spaced that way; a zero among them is put at the left.
        score: its name.
        perfect: the score of a perfect sampler, drawn as a horizontal line.
        ax: the axis to draw on; without one, a new figure is made.

    Returns:
        The axis drawn on.

    Raises:
        ValueError: there are no rows, a column is missing, a value of the hyperparameter is not finite, or
            there are more than four lines.
    """
    series = _series(rows, hyperparameter, (score,))
    if ax is None:
        ax = style.new_axes()
    handles = _draw(ax, series, hyperparameter, score, perfect)
    ax.set_xlabel(_words(hyperparameter))
    style.legend_below(ax, handles)
    return ax


def save_sweep(
    path: str | os.PathLike[str],
    rows: Rows,
    hyperparameter: str,
    scores: Sequence[str],
    *,
    perfect: Mapping[str, float] | None = None,
) -> Path:
    """Save plots of several scores over a hyperparameter as a PNG file, one above the other.

    Args:
        path: of the PNG file; an error leaves no part of it behind.
        rows, hyperparameter: as for `plot_sweep`.
        scores: their names, at least one.
        perfect: a perfect sampler's scores by name, if they are known.

    Returns:
        The path.

    Raises:
        OSError: the picture cannot be written.
        ValueError: there are no scores, or `perfect` has others; and whatever `plot_sweep` raises.
    """
    if not scores:
        raise ValueError("scores must name at least one score")
    if unknown := set(perfect or {}) - set(scores):
        raise ValueError(f"perfect has scores that are not drawn: {', '.join(sorted(unknown))}")
    series = _series(rows, hyperparameter, scores)
    axes = style.stacked_axes(6.4, 1.2 + 2.4 * len(scores), len(scores))
    handles: dict[str, Any] = {}
    for ax, score in zip(axes, scores, strict=True):
        for handle in _draw(ax, series, hyperparameter, score, (perfect or {}).get(score)):
            handles.setdefault(handle.get_label(), handle)
    axes[-1].set_xlabel(_words(hyperparameter))
    style.legend_below(axes[-1], list(handles.values()))
    figure: Any = axes[0].get_figure()
    return save_figure(path, figure)


def standard_error(values: np.ndarray) -> float:
    """The standard error of the mean of `values` `(n,)`; NaN for fewer than two."""
    return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def prefers_logarithmic_axis(values: np.ndarray) -> bool:
    """Whether distinct ascending values span at least a decade and are more evenly spaced as logarithms.

    A zero at the beginning is ignored. False if there are negative values.
    """
    positive = values[values > 0]
    if values[0] < 0 or len(positive) < 2 or positive[-1] < DECADE * positive[0]:
        return False
    return _unevenness(np.log(positive)) <= _unevenness(values)


def _unevenness(values: np.ndarray) -> float:
    """The standard deviation of the gaps between ascending values over their mean."""
    gaps = np.diff(values)
    return float(gaps.std() / gaps.mean())


def _series(rows: Rows, hyperparameter: str, scores: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of each line by its name: the other hyperparameters that vary, or "" if none does."""
    if not rows:
        raise ValueError("the sweep has no rows, so there is nothing to draw")
    for name in (hyperparameter, SEED, *scores):
        if any(name not in row for row in rows):
            raise ValueError(f"not all rows have {name!r}; the first one has: {', '.join(rows[0])}")
    names = list(rows[0])
    swept = names[: names.index(SEED)]
    if hyperparameter not in swept:
        raise ValueError(
            f"{hyperparameter!r} is not a hyperparameter of this sweep; it has: {', '.join(swept) or 'none'}"
        )
    if not all(math.isfinite(row[hyperparameter]) for row in rows):
        raise ValueError(f"every {hyperparameter} must be finite")
    others = [name for name in swept if name != hyperparameter and len({row[name] for row in rows}) > 1]
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        line = ", ".join(f"{_words(name)} {row[name]:g}" for name in others)
        found.setdefault(line, []).append(row)
    if len(found) > len(style.COLOURS):
        raise ValueError(
            f"there would be {len(found)} lines, one for each {' and '.join(others)}: "
            f"choose rows with at most {len(style.COLOURS)} of these"
        )
    return found


def _draw(
    ax: Axes,
    series: Mapping[str, Sequence[Mapping[str, Any]]],
    hyperparameter: str,
    score: str,
    perfect: float | None,
) -> list[Any]:
    """Draw every line; returns the handles for the legend."""
    style.tidy(ax)
    handles, extra, diverged = [], [], []
    everywhere = np.unique([row[hyperparameter] for rows in series.values() for row in rows]).astype(float)
    for i, (name, rows) in enumerate(series.items()):
        colour, mark = style.COLOURS[i], style.MARKERS[i]
        x = np.array([row[hyperparameter] for row in rows], float)
        y = np.array([math.nan if row.get(DIVERGED) else row[score] for row in rows], float)
        good = np.isfinite(y)
        diverged += x[~good].tolist()
        values = np.unique(x)
        at = [y[good & (x == value)] for value in values]
        mean = np.array([each.mean() if len(each) else math.nan for each in at])
        error = np.array([standard_error(each) for each in at])
        dots = ax.plot(x[good], y[good], mark, color=colour, alpha=0.4, markersize=4, markeredgewidth=0)[0]
        band = _band(ax, values, mean, error, colour)
        look: dict[str, Any] = {"color": colour, "linestyle": style.DASHES[i], "marker": mark}
        line = ax.plot(values, mean, **look, linewidth=1.8, markersize=5, zorder=3)[0]
        line.set_label(name or "mean of the seeds")
        handles.append(line)
        if not extra:
            dots.set_label(f"one seed ({_seeds(series, hyperparameter)} per value)")
            extra.append(dots)
        if len(extra) == 1 and np.isfinite(error).any():
            band.set_label("± standard error of the mean")
            extra.append(band)
    handles += extra
    if perfect is not None:
        # Grey and dotted, like the reference levels of the training curves.
        level = ax.axhline(perfect, color=style.GREY, linewidth=1.2, linestyle=":", zorder=1)
        level.set_label("perfect sampler")
        handles.append(level)
    if diverged:
        transform = ax.get_xaxis_transform()  # x in data coordinates, y as a fraction of the axis
        positions, counts = np.unique(diverged, return_counts=True)
        heights = np.full(len(positions), 0.03)
        crosses = ax.plot(positions, heights, "x", color=style.BLACK, transform=transform)[0]
        crosses.set_label("number of runs that diverged or have no score")
        handles.append(crosses)
        for position, count in zip(positions, counts, strict=True):
            offset: dict[str, Any] = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(f"{count}", (position, 0.03), xycoords=transform, fontsize=8, **offset)
    _scale(ax, everywhere)
    ax.set_ylabel(_words(score))
    return handles


def _seeds(series: Mapping[str, Sequence[Mapping[str, Any]]], hyperparameter: str) -> str:
    """The number of runs for each value of every line: "4", or "1 to 4"."""
    counts = Counter((name, row[hyperparameter]) for name, rows in series.items() for row in rows)
    few, many = min(counts.values()), max(counts.values())
    return f"{few}" if few == many else f"{few} to {many}"


def _band(ax: Axes, values: np.ndarray, mean: np.ndarray, error: np.ndarray, colour: str) -> Any:
    if len(values) == 1:  # a band would have no width
        return ax.errorbar(values, mean, error, color=colour, capsize=4, linestyle="none")
    return ax.fill_between(values, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)


def _scale(ax: Axes, values: np.ndarray) -> None:
    """Choose the scale of the x axis, and put a tick at each value if there is space for the labels."""
    positions = values
    if prefers_logarithmic_axis(values):
        if values[0] > 0:
            ax.set_xscale("log")
            positions = np.log(values)
        else:
            # Zero has no logarithm: between it and the next value the axis is linear and short.
            ax.set_xscale("symlog", linthresh=values[1], linscale=0.5)
            positions = np.concatenate([[np.log(values[1]) - 0.5 * math.log(10)], np.log(values[1:])])
    apart = np.diff(positions) / (positions[-1] - positions[0]) if len(positions) > 1 else np.ones(1)
    if len(values) <= LABELLED and apart.min() >= APART:
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.minorticks_off()


def _words(name: str) -> str:
    return name.replace("_", " ")
