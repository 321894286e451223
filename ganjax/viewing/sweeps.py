"""What a hyperparameter does: scores over its values, from the rows of a sweep, with the seeds' spread."""

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

SEED = "seed"  # the column behind the hyperparameters
DIVERGED = "diverged_at"  # 0 for a run that did not
DECADE = 10.0  # from the least value to the largest, from which on they may ask for a logarithmic axis
LABELLED = 9  # values, at most, that each get a tick of their own
APART = 0.06  # of the axis's width, at least, between two ticks with words


def plot_sweep(
    rows: Rows, hyperparameter: str, score: str, *, perfect: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a score over a hyperparameter: each seed as a faint mark, and the mean of the seeds as a line.

    The band around the mean is its standard error on either side, `s / sqrt(n)`, with s the sample standard
    deviation of the n seeds. There is none where a value has a single seed. If other hyperparameters take
    several values in `rows`, each combination of them has a line of its own. Runs that diverged, and
    scores that are not finite, are in neither mean nor band: crosses at the axis's lower edge say where, and
    how many there are.

    Args:
        rows: those of `ganjax.populations.sweep`, or of its table: hyperparameters, "seed", "diverged_at"
            and scores by name, in this order.
        hyperparameter: the name of one. The axis is logarithmic where its values are spread more evenly
            that way, over a decade or more; a zero among them keeps a place at the left.
        score: the name of one.
        perfect: the score of a perfect sampler, drawn as a horizontal line.
        ax: the axis to draw on; without one, a new figure is made.

    Returns:
        The axis drawn on.

    Raises:
        ValueError: no rows, a column is missing, a value of the hyperparameter is not finite, or there are
            more lines than can be told apart (four).
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
    """Save scores over a hyperparameter as a PNG file, one panel above the other, as `plot_sweep` draws each.

    Args:
        path: where to write, whole or not at all.
        rows, hyperparameter: as `plot_sweep` takes them.
        scores: the names of at least one.
        perfect: a perfect sampler's scores by name, of those that are known.

    Returns:
        The path.

    Raises:
        OSError: the picture cannot be written.
        ValueError: no scores, one in `perfect` is none of them, or as `plot_sweep`.
    """
    if not scores or not set(perfect or {}) <= set(scores):
        raise ValueError(f"at least one score is needed, and those of {list(perfect or {})} among {scores}")
    series = _series(rows, hyperparameter, scores)
    axes = style.stacked_axes(6.4, 1.2 + 2.4 * len(scores), len(scores))
    seen: dict[str, Any] = {}
    for ax, score in zip(axes, scores, strict=True):
        for handle in _draw(ax, series, hyperparameter, score, (perfect or {}).get(score)):
            seen.setdefault(handle.get_label(), handle)
    axes[-1].set_xlabel(_words(hyperparameter))
    style.legend_below(axes[-1], list(seen.values()))
    figure: Any = axes[0].get_figure()
    return save_figure(path, figure)


def standard_error(values: np.ndarray) -> float:
    """Of the mean of `values` `(n,)`; NaN for fewer than two."""
    return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def asks_for_logarithms(values: np.ndarray) -> bool:
    """Whether distinct ascending values, over at least a decade, lie more evenly by their logarithms.

    A zero at the beginning counts as none of them; where there are negative ones, the answer is no.
    """
    positive = values[values > 0]
    if values[0] < 0 or len(positive) < 2 or positive[-1] < DECADE * positive[0]:
        return False
    return _unevenness(np.log(positive)) <= _unevenness(values)


def _unevenness(values: np.ndarray) -> float:
    """Of the gaps between ascending values: their standard deviation over their mean."""
    gaps = np.diff(values)
    return float(gaps.std() / gaps.mean())


def _series(rows: Rows, hyperparameter: str, scores: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of each line, by its name: the other hyperparameters that vary; "" where none does."""
    if not rows:
        raise ValueError("a sweep without rows: nothing to draw")
    for name in (hyperparameter, SEED, *scores):
        if any(name not in row for row in rows):
            raise ValueError(f"not all rows have {name!r}; the first has: {', '.join(rows[0])}")
    names = list(rows[0])
    swept = names[: names.index(SEED)]
    if hyperparameter not in swept:
        raise ValueError(f"{hyperparameter!r} is no hyperparameter; these are: {', '.join(swept) or 'none'}")
    if not all(math.isfinite(row[hyperparameter]) for row in rows):
        raise ValueError(f"every {hyperparameter} must be finite")
    others = [name for name in swept if name != hyperparameter and len({row[name] for row in rows}) > 1]
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        line = ", ".join(f"{_words(name)} {row[name]:g}" for name in others)
        found.setdefault(line, []).append(row)
    if len(found) > len(style.COLOURS):
        raise ValueError(
            f"{len(found)} lines, one for each {' and '.join(others)}: "
            f"choose rows with at most {len(style.COLOURS)} of them"
        )
    return found


def _draw(
    ax: Axes,
    series: Mapping[str, Sequence[Mapping[str, Any]]],
    hyperparameter: str,
    score: str,
    perfect: float | None,
) -> list[Any]:
    """Draw every line; returns what the legend lists."""
    style.tidy(ax)
    handles, extra, lost = [], [], []
    everywhere = np.unique([row[hyperparameter] for rows in series.values() for row in rows]).astype(float)
    for i, (name, rows) in enumerate(series.items()):
        colour, mark = style.COLOURS[i], style.MARKERS[i]
        x = np.array([row[hyperparameter] for row in rows], float)
        y = np.array([math.nan if row.get(DIVERGED) else row[score] for row in rows], float)
        good = np.isfinite(y)
        lost += x[~good].tolist()
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
            dots.set_label(f"a seed ({_seeds(series, hyperparameter)} of each value)")
            extra.append(dots)
        if len(extra) == 1 and np.isfinite(error).any():
            band.set_label("± standard error of the mean")
            extra.append(band)
    handles += extra
    if perfect is not None:
        # As in the curves: a level that means something is grey and dotted.
        level = ax.axhline(perfect, color=style.GREY, linewidth=1.2, linestyle=":", zorder=1)
        level.set_label("perfect sampler")
        handles.append(level)
    if lost:
        where = ax.get_xaxis_transform()  # x as the data's, y as a share of the axis
        places, counts = np.unique(lost, return_counts=True)
        crosses = ax.plot(places, np.full(len(places), 0.03), "x", color=style.BLACK, transform=where)[0]
        crosses.set_label("diverged or without a score: how many")
        handles.append(crosses)
        for place, count in zip(places, counts, strict=True):
            offset: dict[str, Any] = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(f"{count}", (place, 0.03), xycoords=where, fontsize=8, **offset)
    _scale(ax, everywhere)
    ax.set_ylabel(_words(score))
    return handles


def _seeds(series: Mapping[str, Sequence[Mapping[str, Any]]], hyperparameter: str) -> str:
    """How many runs there are of each value, of every line: "4", or "1 to 4"."""
    counts = Counter((name, row[hyperparameter]) for name, rows in series.items() for row in rows)
    few, many = min(counts.values()), max(counts.values())
    return f"{few}" if few == many else f"{few} to {many}"


def _band(ax: Axes, values: np.ndarray, mean: np.ndarray, error: np.ndarray, colour: str) -> Any:
    if len(values) == 1:  # a band has no width there
        return ax.errorbar(values, mean, error, color=colour, capsize=4, linestyle="none")
    return ax.fill_between(values, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)


def _scale(ax: Axes, values: np.ndarray) -> None:
    """Choose the scale of the x axis, and label the values themselves where there is space for it."""
    places = values
    if asks_for_logarithms(values):
        if values[0] > 0:
            ax.set_xscale("log")
            places = np.log(values)
        else:
            # Zero has no logarithm: between it and the first value behind it the axis is linear, and short.
            ax.set_xscale("symlog", linthresh=values[1], linscale=0.5)
            places = np.concatenate([[np.log(values[1]) - 0.5 * math.log(10)], np.log(values[1:])])
    apart = np.diff(places) / (places[-1] - places[0]) if len(places) > 1 else np.ones(1)
    if len(values) <= LABELLED and apart.min() >= APART:
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.minorticks_off()


def _words(name: str) -> str:
    return name.replace("_", " ")
