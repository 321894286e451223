"""Charts of training curves as SVG paths, with a description in words for screen readers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from ganjax.viewing.curves import shown_range, smooth, smoothing_for

WIDTH, HEIGHT = 400, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 30  # margins for tick labels
POINTS = 300  # most points of a line; more would be closer than pixels

# Title, columns, the level of an undecided discriminator, and the caption.
PANELS = (
    (
        "Losses",
        ("generator_loss", "discriminator_loss"),
        None,
        "What each of the two networks minimises.",
    ),
    (
        "Mean logit of D",
        ("fake_logits", "real_logits"),
        0.0,
        "The further apart they are, the better the discriminator tells real from generated; at the dotted "
        "line it is undecided.",
    ),
    (
        "Accuracy of D",
        ("fake_accuracy", "real_accuracy"),
        0.5,
        "The share of real and of generated samples that the discriminator classifies correctly.",
    ),
)
LABELS = {
    "generator_loss": "generator",
    "discriminator_loss": "discriminator",
    "fake_logits": "on generated",
    "real_logits": "on real",
    "fake_accuracy": "on generated",
    "real_accuracy": "on real",
}


@dataclasses.dataclass(frozen=True)
class Line:
    """One column of a chart.

    Attributes:
        label: its name.
        kind: CSS class: "made" for the generator or generated samples, "real" for the discriminator or real
            ones.
        values, average: the `d` of the SVG paths of the values and of their moving average.
        words: a description of the curve.
    """

    label: str
    kind: str
    values: str
    average: str
    words: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart of `WIDTH` x `HEIGHT`.

    Attributes:
        title, about: heading and caption.
        lines: one for each column.
        x_ticks, y_ticks: positions along the axes, and their labels.
        level: y position of the dotted line, if there is one.
    """

    title: str
    about: str
    lines: Sequence[Line]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    level: float | None

    @property
    def words(self) -> str:
        return " ".join(line.words for line in self.lines)


Limits = tuple[float, float]


def charts(metrics: Mapping[str, np.ndarray], shared: Sequence[Mapping[str, np.ndarray]] = ()) -> list[Chart]:
    """A chart for each panel with finite values.

    Args:
        metrics: columns by name, `(rows,)` each. Without a column `step`, rows are counted.
        shared: the metrics of all runs whose charts shall have the same axes.
    """
    drawn = [_chart(metrics, shared or [metrics], *panel) for panel in PANELS]
    return [chart for chart in drawn if chart]


def _chart(
    metrics: Mapping[str, np.ndarray],
    shared: Sequence[Mapping[str, np.ndarray]],
    title: str,
    columns: Sequence[str],
    level: float | None,
    about: str,
) -> Chart | None:
    columns = [name for name in columns if name in metrics and np.isfinite(metrics[name]).any()]
    if not columns:
        return None
    everything = np.concatenate([each[name] for each in shared for name in columns if name in each])
    low, high = shown_range(everything[np.isfinite(everything)])
    last = max(_steps(each)[-1] for each in shared)
    first = min(_steps(each)[0] for each in shared)
    x = functools.partial(_place, limits=(first, last), ends=(LEFT, WIDTH - RIGHT))
    y = functools.partial(_place, limits=(low, high), ends=(HEIGHT - BOTTOM, TOP))
    steps = _steps(metrics)
    lines = []
    for name in columns:
        values = np.where(np.isfinite(metrics[name]), metrics[name], np.nan)
        average = smooth(values, smoothing_for(len(values)))
        places = x(steps), y(np.clip(values, low, high)), y(np.clip(average, low, high))
        lines.append(
            Line(
                label=LABELS[name],
                kind="made" if name.startswith(("generator", "fake")) else "real",
                values=_path(places[0], places[1]),
                average=_path(places[0], places[2]),
                words=_words(LABELS[name], steps, values),
            )
        )
    shown = level if level is not None and low <= level <= high else None
    return Chart(
        title,
        about,
        lines,
        x_ticks=[(float(x(tick)), spaced(round(tick))) for tick in _ticks(first, last, 4, whole=True)],
        y_ticks=[(float(y(tick)), f"{tick:g}") for tick in _ticks(low, high, 5)],
        level=None if shown is None else float(y(shown)),
    )


def rows(metrics: Mapping[str, np.ndarray], most: int = 12) -> tuple[list[str], list[list[str]]]:
    """The charts' numbers as a table of at most `most` rows: column names, and rows."""
    names = [name for _, columns, _, _ in PANELS for name in columns if name in metrics]
    if not names:
        return [], []
    steps = _steps(metrics)
    chosen = np.unique(np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int))
    head = ["step", *(name.replace("_", " ") for name in names)]
    return head, [[f"{steps[i]:.0f}", *(f"{metrics[name][i]:.4g}" for name in names)] for i in chosen]


def spaced(count: int) -> str:
    """A whole number with a narrow no-break space between thousands."""
    return f"{count:,}".replace(",", "\u202f")


def _steps(metrics: Mapping[str, np.ndarray]) -> np.ndarray:
    rows = len(next(iter(metrics.values())))
    steps = metrics.get("step", np.arange(rows))
    return steps if np.isfinite(steps).all() else np.arange(rows)


def _place(values, limits: Limits, ends: Limits):
    """Positions of `values` in the chart: `limits` are mapped to `ends`."""
    low, high = limits
    share = (np.asarray(values, float) - low) / ((high - low) or 1.0)
    return ends[0] + share * (ends[1] - ends[0])


def _path(x: np.ndarray, y: np.ndarray) -> str:
    """An SVG path through the points, interrupted where y is NaN; a single point is a short line."""
    x, y = _fewer(x, y)
    parts, command = [], "M"
    for i in range(len(x)):
        if np.isnan(y[i]):
            command = "M"
            continue
        parts.append(f"{command}{x[i]:.1f} {y[i]:.1f}")
        single = command == "M" and (i + 1 == len(x) or np.isnan(y[i + 1]))
        parts += ["h3"] if single else []
        command = "L"
    return "".join(parts)


def _fewer(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most about `POINTS` points: the smallest and the largest y of each part, so that peaks remain."""
    if len(x) <= POINTS:
        return x, y
    kept = []
    for part in np.array_split(np.arange(len(x)), POINTS // 2):
        finite = part[~np.isnan(y[part])]
        extremes = {finite[np.argmin(y[finite])], finite[np.argmax(y[finite])]} if len(finite) else {part[0]}
        kept += sorted(extremes)
    return x[kept], y[kept]


def _words(label: str, steps: np.ndarray, values: np.ndarray) -> str:
    finite = np.flatnonzero(np.isfinite(values))
    a, b = finite[0], finite[-1]
    words = f"{label}: {values[a]:.3g} at step {steps[a]:.0f}"
    if a != b:
        low, high = np.nanmin(values), np.nanmax(values)
        words += f", {values[b]:.3g} at step {steps[b]:.0f}, between {low:.3g} and {high:.3g}"
    missing = len(values) - len(finite)
    return words + (f"; {missing} not finite." if missing else ".")


def _ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    places = MaxNLocator(most, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    inside = [float(round(place, 12)) for place in places if low <= place <= high]
    return inside or [low]
