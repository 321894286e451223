"""The style of all plots: colours that can be told apart with colour blindness and in greyscale.

The colours are those of Okabe and Ito ("Color Universal Design", 2008). Blue stands for real samples
and the discriminator, orange for generated samples and the generator. These two also differ in
lightness, and no meaning depends on colour alone: areas have a hatch, lines a dash pattern, points
a shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

BLUE = "#0072B2"
ORANGE = "#E69F00"
BLACK = "#000000"
GREY = "#767676"

REAL = BLUE
GENERATED = ORANGE
DISCRIMINATOR = BLACK

# The first line has the first colour, the first dash pattern and the first marker, and so on.
COLOURS = (ORANGE, BLUE, BLACK, GREY)
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), "-.")
MARKERS = ("o", "s", "^", "D")

# From "surely generated" through "undecided" to "surely real": the hues of the two colours above,
# getting steadily darker, so that both ends differ in greyscale too. All are pale, because points
# are drawn on top.
LANDSCAPE = ("#FFE9BF", "#DDDDDA", "#94B8DB")


def new_axes(width: float = 6.4, height: float = 4.2) -> Axes:
    """Return the axis of a new figure, `width` by `height` inches, 150 pixels per inch."""
    return stacked_axes(width, height, 1)[0]


def stacked_axes(width: float, height: float, rows: int) -> list[Axes]:
    """Return `rows` axes of a new figure, one above the other with a shared x axis.

    The figure has no window and is unknown to pyplot, so it is freed when no reference is left.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])


def tidy(ax: Axes) -> None:
    """Remove the upper and right edge of the frame, and make the others grey."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(GREY)
    ax.tick_params(color=GREY)


def legend_below(ax: Axes, handles: list[Any], columns: int = 2, gap: float = 38.0) -> Legend:
    """Put the legend below the axis and its label, where it cannot hide data.

    Args:
        ax: the axis.
        handles: the artists to list, by their labels.
        columns: number of columns in the legend.
        gap: distance from the axis to the legend in points, for ticks and the axis's label.

    Returns:
        The legend.
    """
    from matplotlib.transforms import ScaledTranslation

    figure: Any = ax.get_figure(root=True)
    below = ax.transAxes + ScaledTranslation(0, -gap / 72, figure.dpi_scale_trans)
    return ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=below,
        ncol=columns,
        frameon=False,
        borderaxespad=0.0,
        handlelength=2.4,
    )
