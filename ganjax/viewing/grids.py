"""Many images on one sheet, pixel for pixel: nothing is resampled, so nothing is blurred."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganjax.viewing.saving import save_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING = (255, 0, 255)
"""The magenta that stands for a pixel that is not a number."""

PAPER = 255

FAR = 1.5
"""Beyond this, of either sign, a value is not one in [-1, 1] that a generator without tanh has overshot."""


def to_uint8(images: Any, value_range: tuple[float, float] | None = None) -> np.ndarray:
    """Turn images into bytes: -1 becomes 0, 1 becomes 255, what lies beyond is clipped.

    Args:
        images: `(n, height, width, channels)` with 1 or 3 channels, floating point in [-1, 1], or
            uint8, which is passed through.
        value_range: the values that become 0 and 255; by default [-1, 1], with a warning where the images
            seem to be in another range.

    Returns:
        uint8, same shape. A pixel with NaN becomes magenta, which no face has, or black when there
        is one channel.

    Warns:
        UserWarning: without a `value_range`, a value is beyond -1.5 or 1.5; or the images are in [0, 1]: no
            value is negative or above 1, and of those below 0.25, and above 0.75, there are at least 16 and
            1 % each. Pictures in [-1, 1] that are as varied as that also have pixels below 0, middle grey.

    Raises:
        TypeError: the images are neither floating point nor uint8.
        ValueError: the shape is another one, or the range is empty.
    """
    values = np.asarray(images)
    if values.ndim != 4 or values.shape[3] not in (1, 3):
        raise ValueError(f"images must have shape (n, height, width, 1 or 3 channels), not {values.shape}")
    if values.dtype == np.uint8:
        return values
    # bfloat16 is no floating-point kind to NumPy; its name is all there is to go by.
    if values.dtype.kind != "f" and "float" not in values.dtype.name:
        raise TypeError(f"images must be floating point in [-1, 1] or uint8, not {values.dtype}")
    values = values.astype(np.float32)
    if value_range is None:
        _warn_of_another_range(values)
    low, high = value_range or (-1, 1)
    if not low < high:
        raise ValueError(f"value_range must go from a smaller to a larger value, not from {low} to {high}")
    missing = np.logical_or.reduce(np.isnan(values), axis=3, keepdims=True)
    values = np.where(missing, low, values)
    pixels = np.rint((np.clip(values, low, high) - low) * (255 / (high - low))).astype(np.uint8)
    if values.shape[3] == 3:
        pixels[missing[..., 0]] = MISSING
    return pixels


def image_grid(images: Any, columns: int | None = None, padding: int = 2, scale: int = 1) -> np.ndarray:
    """Lay images out in rows on white, in reading order.

    Args:
        images: as `to_uint8` takes them, at least one. Grey images become coloured ones.
        columns: images in a row; by default a square is filled.
        padding: white pixels around and between the images.
        scale: every pixel becomes a square of `scale` x `scale` pixels.

    Returns:
        uint8 `(height, width, 3)`. Unused places are white; NaN is magenta.

    Raises:
        ValueError: there are no images, or `columns`, `padding` or `scale` is out of range.
    """
    pixels = _rgb(images)
    count = len(pixels)
    columns = _positive("columns", math.ceil(math.sqrt(count)) if columns is None else columns)
    scale = _positive("scale", scale)
    if padding < 0:
        raise ValueError(f"padding must be 0 or more pixels, not {padding}")
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    height, width = pixels.shape[1:3]
    rows = math.ceil(count / columns)
    sheet = np.full((rows * columns, height + padding, width + padding, 3), PAPER, np.uint8)
    sheet[:count, :height, :width] = pixels
    sheet = sheet.reshape(rows, columns, height + padding, width + padding, 3).swapaxes(1, 2)
    sheet = sheet.reshape(rows * (height + padding), columns * (width + padding), 3)
    return np.pad(sheet, ((padding, 0), (padding, 0), (0, 0)), constant_values=PAPER)


def labelled_grid(
    images: Any,
    row_labels: Sequence[str],
    column_labels: Sequence[str] | None = None,
    *,
    padding: int = 2,
    scale: int = 1,
) -> np.ndarray:
    """Lay images out in one row for each label, with the labels beside them.

    Args:
        images: `(rows * columns, height, width, channels)` in reading order, or
            `(rows, columns, height, width, channels)`; pixels as `to_uint8` takes them.
        row_labels: one text for each row, drawn at its left; may have several lines.
        column_labels: one text for each column, drawn above it: upright where every one fits its
            column, else turned to read upwards.
        padding: white pixels around and between the images.
        scale: every pixel becomes a square of `scale` x `scale` pixels.

    Returns:
        uint8 `(height, width, 3)`; the images are exactly those of `image_grid`.

    Raises:
        ValueError: the images do not fill the rows, or labels and columns differ in number.
    """
    values = np.asarray(images)
    rows = len(row_labels)
    if values.ndim == 5:
        if values.shape[0] != rows:
            raise ValueError(f"there are {values.shape[0]} rows of images but {rows} row labels")
        values = values.reshape(-1, *values.shape[2:])
    if not rows or not len(values) or len(values) % rows:
        raise ValueError(f"{len(values)} images cannot fill {rows} rows of the same length")
    columns = len(values) // rows
    if column_labels is not None and len(column_labels) != columns:
        raise ValueError(f"there are {columns} columns but {len(column_labels)} column labels")

    grid = image_grid(values, columns, padding, scale)
    cell_height = values.shape[1] * scale + padding
    cell_width = values.shape[2] * scale + padding
    size = int(np.clip(cell_height // 5, 11, 26))
    left = [_text(label, size) for label in row_labels]
    gap = max(6, size // 2)
    margin_left = max(text.shape[1] for text in left) + 2 * gap
    # Rows too low for their labels grow apart rather than let one text run into the next.
    pitch = max(cell_height, max(text.shape[0] for text in left) + 2)
    above: list[np.ndarray] = []
    if column_labels is not None:
        above = [_text(label, size) for label in column_labels]
        if max(text.shape[1] for text in above) > cell_width - 4:
            above = [np.rot90(text) for text in above]
            # Turned texts need one line's height of space each.
            size_needed = max(text.shape[1] for text in above)
            if size_needed > cell_width:
                raise ValueError(
                    f"column labels need {size_needed} pixels but columns are {cell_width} wide: "
                    "raise scale or shorten the labels"
                )
    margin_top = max((text.shape[0] for text in above), default=0)
    margin_top += gap if above else 0

    sheet = np.full((margin_top + rows * pitch + padding, margin_left + grid.shape[1], 3), PAPER, np.uint8)
    for row, text in enumerate(left):
        top = margin_top + row * pitch
        strip = grid[row * cell_height : (row + 1) * cell_height + padding]
        offset = (pitch - cell_height) // 2
        sheet[top + offset : top + offset + len(strip), margin_left:] = strip
        middle = top + padding + (pitch - padding - text.shape[0]) // 2
        _paste(sheet, text, middle, margin_left - gap - text.shape[1])
    for column, text in enumerate(above):
        centre = margin_left + padding + column * cell_width + (cell_width - padding) // 2
        _paste(sheet, text, margin_top - gap // 2 - text.shape[0], centre - text.shape[1] // 2)
    return sheet


def save_grid(
    path: str | os.PathLike[str],
    images: Any,
    columns: int | None = None,
    padding: int = 2,
    scale: int = 1,
    row_labels: Sequence[str] | None = None,
) -> Path:
    """Save `image_grid(images, ...)` as a PNG file, whole or not at all; return its path.

    With `row_labels` it is `labelled_grid` that is saved, and the labels settle the columns.
    """
    if row_labels is None:
        return save_image(path, image_grid(images, columns, padding, scale))
    return save_image(path, labelled_grid(images, row_labels, padding=padding, scale=scale))


def plot_images(images: Any, *, ax: Axes | None = None, columns: int | None = None) -> Axes:
    """Show `image_grid(images, columns)` on an axis and return the axis.

    Without an axis a figure is made whose size is a whole multiple of the grid's, so that saving it
    does not resample the images either.
    """
    grid = image_grid(images, columns)
    if ax is None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        height, width = grid.shape[:2]
        scale = max(1, 600 // max(height, width))
        figure = Figure(figsize=(width * scale / 100, height * scale / 100), dpi=100)
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(grid, interpolation="nearest")
    ax.set_axis_off()
    return ax


def _warn_of_another_range(values: np.ndarray) -> None:
    # The texts hold no numbers: Python shows equal warnings once, and not at every picture of a run.
    if (np.abs(values) > FAR).any():
        warnings.warn(
            "images should be in [-1, 1], and some values of these are beyond -1.5 or 1.5 and clipped: "
            "scale them, or name their range, as in to_uint8(images, (0, 255))",
            stacklevel=3,
        )
    enough = max(16, 0.01 * values.size)
    varied = np.count_nonzero(values < 0.25) >= enough and np.count_nonzero(values > 0.75) >= enough
    if varied and not (values < 0).any() and not (values > 1).any():
        warnings.warn(
            "images should be in [-1, 1], and these seem to be in [0, 1], so they come out pale: give "
            "2 * images - 1, or to_uint8(images, (0, 1))",
            stacklevel=3,
        )


def _rgb(images: Any) -> np.ndarray:
    """Return uint8 `(n, height, width, 3)`, NaN as magenta in grey images too."""
    pixels = to_uint8(images)
    if not pixels.size:
        raise ValueError("there are no images to lay out")
    if pixels.shape[3] == 3:
        return pixels
    values = np.asarray(images)
    colour = np.repeat(pixels, 3, axis=3)
    if values.dtype != np.uint8:
        colour[np.isnan(values.astype(np.float32))[..., 0]] = MISSING
    return colour


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"{name} must be 1 or more, not {value}")
    return int(value)


def _text(label: str, size: int) -> np.ndarray:
    """Return `label` in black on white, uint8 `(height, width)`, cut to its lines' height."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    # Matplotlib's own font: it comes with the package, so the picture is the same everywhere.
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    font = ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    _, _, right, _ = draw.multiline_textbbox((0, 0), label or " ", font=font)
    line = sum(font.getmetrics())
    lines = label.count("\n") + 1
    picture = Image.new("L", (math.ceil(right) + 1, lines * line + (lines - 1) * 4), PAPER)
    ImageDraw.Draw(picture).multiline_text((0, 0), label, font=font, fill=0, align="right")
    return np.asarray(picture)


def _paste(sheet: np.ndarray, text: np.ndarray, top: int, left: int) -> None:
    """Write `text` on `sheet`, in place; what would fall outside is cut."""
    top, left = max(top, 0), max(left, 0)
    space = sheet[top : top + text.shape[0], left : left + text.shape[1]]
    space[...] = text[: space.shape[0], : space.shape[1], None]
