"""One look for every plot: colours that survive colour blindness and a black-and-white printer.

The colours are Okabe and Ito's ("Color Universal Design", 2008). The two that carry meaning, blue
for what is real (and the discriminator) and orange for what is generated (and the generator), also
differ in lightness, and nothing is told by colour alone: fills carry a hatch, lines a dash pattern,
points a shape.
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

# Lines that are told apart, in this order: by colour, by dashes, and where they have any, by marks.
COLOURS = (ORANGE, BLUE, BLACK, GREY)
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), "-.")
MARKERS = ("o", "s", "^", "D")

# From "surely generated" over "cannot tell" to "surely real": the hues of the two colours above,
# with lightness falling all the way, so that the two ends differ in greyscale too. Pale throughout,
# because points are drawn on top.
LANDSCAPE = ("#FFE9BF", "#DDDDDA", "#94B8DB")


def new_axes(width: float = 6.4, height: float = 4.2) -> Axes:
    """Return the axis of a new figure, `width` by `height` inches, 150 pixels to the inch."""
    return stacked_axes(width, height, 1)[0]


def stacked_axes(width: float, height: float, rows: int) -> list[Axes]:
    """Return `rows` axes, one above the other with one x axis, of a new figure.

    The figure belongs to no window and to no pyplot state: it is gone when nobody holds it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])


def tidy(ax: Axes) -> None:
    """Take away the frame's upper and right edge, and quieten the rest."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(GREY)
    ax.tick_params(color=GREY)


def legend_below(ax: Axes, handles: list[Any], columns: int = 2, gap: float = 38.0) -> Legend:
    """Put the legend under the axis and its label, where no data can lie beneath it.

    Args:
        ax: the axis.
        handles: the artists to list, by their labels.
        columns: number of columns in the legend.
        gap: distance from the axis to the legend in points, space for ticks and the axis's label.

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
