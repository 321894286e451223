"""Plots of real and generated numbers or points, with the discriminator's output."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ganjax.viewing import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Discriminator = Callable[[Any], Any]

BINS = 100
# The histogram of a collapsed generator is one very tall bin. It is cut off at this many times the
# height of the real histogram, so that the real one can still be seen.
TALLEST = 3.0


def plot_distribution(
    real: Any | None,
    generated: Any,
    discriminator: Discriminator | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw histograms of real and generated numbers, and the discriminator's output over them.

    Each histogram has 100 bins over its own range and an area of one; a triangle on the axis marks
    each mean. With a discriminator, a second y axis shows `sigmoid(D(x))`, the probability of being
    real, and the line 0.5, where the discriminator is undecided.

    Args:
        real: real values, shape `(n,)` or `(n, 1)`; None draws the generated ones alone.
        generated: generated values, shape `(m,)` or `(m, 1)`.
        discriminator: takes points, float32 `(k, 1)`, and returns logits, `(k,)` or `(k, 1)`.
        ax: the axis to draw on; without one, a new figure is made.

    Returns:
        The axis drawn on. Values that are not finite are left out and counted in the legend.

    Raises:
        ValueError: the real or generated values are empty or not one-dimensional; none of the real
            values is finite (without real values, none of the generated ones); or the discriminator
            does not return one logit for each point.
    """
    sides = []
    if real is not None:
        sides.append((*_finite(real, 1, "real"), style.REAL, None))
    sides.append((*_finite(generated, 1, "generated"), style.GENERATED, "////"))
    reference = _reference(sides)
    if ax is None:
        ax = style.new_axes()
    style.tidy(ax)

    bars = [
        np.histogram(values, bins=_edges(values, reference), density=len(values) > 0) for values, *_ in sides
    ]
    ceiling = max(min(density.max(), TALLEST * bars[0][0].max()) for density, _ in bars)
    handles: list[Any] = []
    for (values, label, colour, hatch), (density, edges) in zip(sides, bars, strict=True):
        if len(values):
            label += f", mean {values.mean():.5g}"
            _mark_mean(ax, values.mean(), colour)
        if density.max() > ceiling:
            label += f" (peak {density.max():.3g}, cut off)"
        handles.append(
            ax.stairs(
                density,
                edges,
                fill=True,
                facecolor=(colour, 0.45),
                edgecolor=colour,
                linewidth=1.0,
                hatch=hatch,
                label=label,
            )
        )
    # The outline of the real one again, on top: the hatch of the generated one would hide it.
    ax.stairs(*bars[0], color=sides[0][2], linewidth=1.2, zorder=4)
    ax.set_ylim(0, 1.08 * ceiling)
    low, high = _span(np.concatenate([values for values, *_ in sides]), margin=0.05)
    ax.set_xlim(low, high)
    ax.set_xlabel("value")
    ax.set_ylabel("density")
    if discriminator is not None:
        handles += _draw_decision(ax, discriminator, np.linspace(low, high, 512))
    style.legend_below(ax, handles)
    return ax


def plot_landscape(
    real: Any | None,
    generated: Any,
    discriminator: Discriminator | None = None,
    *,
    ax: Axes | None = None,
    limits: tuple[float, float, float, float] | None = None,
) -> Axes:
    """Draw real and generated points of the plane over the discriminator's output.

    Points with more dimensions are drawn by their first two coordinates.

    The background shows `sigmoid(D(x))` on a grid of 160 x 160 points, and the line where it is 0.5.
    This is a probability for losses whose discriminator estimates one (cross-entropy); for others
    (Wasserstein, relativistic) only differences between places have a meaning.

    Args:
        real: real points, shape `(n, d)`, d >= 2; None draws the generated ones alone.
        generated: generated points, shape `(m, d)`.
        discriminator: takes points, float32 `(k, 2)`, and returns logits, `(k,)` or `(k, 1)`.
        ax: the axis to draw on; without one, a new figure is made.
        limits: `(x low, x high, y low, y high)`; without them, a square around the real points (the
            generated ones if there are no real ones), so that all pictures of one run have the same
            limits whatever the generator does.

    Returns:
        The axis drawn on. Points that are not finite or outside the limits are counted in the legend.

    Raises:
        ValueError: the real or generated points are empty or have less than two dimensions, no real
            point is finite, the limits do not enclose an area, or the discriminator does not return
            one logit for each point.
    """
    # Small dots over larger diamonds: both can be seen where they coincide.
    sides = [(*_finite(generated, 2, "generated"), "D", 14, style.GENERATED, "#4A3300")]
    if real is not None:
        sides.append((*_finite(real, 2, "real"), "o", 6, style.REAL, "none"))
    west, east, south, north = _square(_reference(sides[::-1])) if limits is None else limits
    if not (west < east and south < north):
        raise ValueError(f"limits are (x low, x high, y low, y high) with low < high, not {limits}")
    if ax is None:
        ax = style.new_axes(6.0, 5.4)

    if discriminator is not None:
        x, y = np.linspace(west, east, 160), np.linspace(south, north, 160)
        _draw_landscape(ax, discriminator, x, y)
    handles = []
    for points, label, marker, size, inside, edge in sides:
        x, y = points[:, 0], points[:, 1]
        outside = np.count_nonzero((x < west) | (x > east) | (y < south) | (y > north))
        if outside:
            label += f" ({outside} outside)"
        handles.append(
            ax.scatter(
                x,
                y,
                s=size,
                marker=marker,
                facecolor=inside,
                edgecolor=edge,
                linewidth=0.4,
                alpha=float(np.clip(1200 / max(len(points), 1), 0.4, 0.9)),
                label=label,
            )
        )
    ax.set_xlim(west, east)
    ax.set_ylim(south, north)
    ax.set_aspect("equal")
    ax.set_xlabel("$x_1$")
    ax.set_ylabel("$x_2$")
    legend = style.legend_below(ax, handles[::-1])
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1.0)
    return ax


def _finite(samples: Any, dimension: int, name: str) -> tuple[np.ndarray, str]:
    """Return the finite samples as float64, `(n,)` or the first coordinates `(n, 2)`, and their label."""
    values = np.asarray(samples, dtype=np.float64)
    if dimension == 1 and values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != dimension or (dimension == 2 and values.shape[1] < 2):
        expected = "(n,) or (n, 1)" if dimension == 1 else "(n, 2) or more coordinates"
        raise ValueError(f"{name} samples must have shape {expected}, not {np.shape(samples)}")
    if not len(values):
        raise ValueError(f"there are no {name} samples to draw")
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    missing = len(values) - np.count_nonzero(finite)
    values = values[finite] if dimension == 1 else values[finite, :2]
    return values, f"{name} ({missing} not finite)" if missing else name


def _reference(sides: list[Any]) -> np.ndarray:
    """Return the values of the first side, from which the ranges follow."""
    if not len(sides[0][0]):
        raise ValueError(f"there are no samples to draw: {sides[0][1]}")
    return sides[0][0]


def _mark_mean(ax: Axes, mean: float, colour: str) -> None:
    ax.plot(
        [mean],
        [0],
        marker="^",
        markersize=8,
        color=colour,
        markeredgecolor="black",
        markeredgewidth=0.8,
        clip_on=False,
        zorder=5,
    )


def _span(values: np.ndarray, margin: float) -> tuple[float, float]:
    """Return a range around `values` that is not empty even if they are all the same."""
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if high - low <= 1e-6 * size or high == low:
        half = max(0.5, 1e-3 * size)
        low, high = low - half, high + half
    extra = margin * (high - low)
    return low - extra, high + extra


def _edges(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the edges of the bins over the range of `values`, or of `reference` if there are none."""
    return np.linspace(*_span(values if len(values) else reference, margin=0.0), BINS + 1)


def _square(points: np.ndarray) -> tuple[float, float, float, float]:
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    half = 0.62 * max(east - west, north - south)
    half = half or max(0.5, 1e-3 * float(np.abs(points).max()))
    x, y = (west + east) / 2, (south + north) / 2
    return x - half, x + half, y - half, y + half


def _probability(discriminator: Discriminator, points: np.ndarray) -> np.ndarray:
    """Return `sigmoid(D(points))`, float64 `(n,)`, without overflow for logits of any size."""
    largest = np.finfo(np.float32).max
    points = np.clip(points, -largest, largest).astype(np.float32)
    logits = np.asarray(discriminator(points), dtype=np.float64)
    if logits.shape not in ((len(points),), (len(points), 1)):
        raise ValueError(
            f"the discriminator must return one logit for each of the {len(points)} points, "
            f"not an array of shape {logits.shape}"
        )
    return 0.5 * (1 + np.tanh(0.5 * logits.reshape(-1)))


def _draw_decision(ax: Axes, discriminator: Discriminator, x: np.ndarray) -> list[Any]:
    """Draw `sigmoid(D(x))` and 0.5 on a second y axis; return their legend handles."""
    decision = ax.twinx()
    style.tidy(decision)
    decision.spines["right"].set_visible(True)
    decision.spines["right"].set_color(style.GREY)
    (curve,) = decision.plot(
        x,
        _probability(discriminator, x[:, None]),
        color=style.DISCRIMINATOR,
        linewidth=2.0,
        label="discriminator, $\\sigma(D(x))$",
    )
    half = decision.axhline(0.5, color=style.GREY, linestyle="--", linewidth=1.2, label="0.5")
    decision.set_ylim(0, 1.08)
    decision.set_yticks([0, 0.25, 0.5, 0.75, 1])
    decision.set_ylabel("probability of being real")
    return [curve, half]


def _draw_landscape(ax: Axes, discriminator: Discriminator, x: np.ndarray, y: np.ndarray) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    columns, rows = np.meshgrid(x, y)
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    height = np.ma.masked_invalid(_probability(discriminator, points).reshape(columns.shape))
    filled = ax.contourf(
        x,
        y,
        height,
        levels=np.linspace(0, 1, 21),
        cmap=LinearSegmentedColormap.from_list("generated to real", style.LANDSCAPE),
    )
    figure: Any = ax.get_figure()
    bar = figure.colorbar(filled, ax=ax, shrink=0.8, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.set_label("$\\sigma(D(x))$: probability of being real")
    bar.outline.set_visible(False)
    if height.count() and height.min() < 0.5 < height.max():
        line = ax.contour(x, y, height, levels=[0.5], colors="black", linewidths=1.2)
        bar.add_lines(line)
