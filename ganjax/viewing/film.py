"""A film of a run as an animated GIF: samples of the same latents, frame by frame."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganjax.viewing.saving import save_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

Frame = np.ndarray | str | os.PathLike[str]


def save_film(
    path: str | os.PathLike[str],
    frames: Sequence[Frame],
    seconds_per_frame: float = 0.15,
    last: float = 2.0,
    *,
    shrink: int = 1,
    max_frames: int | None = 120,
) -> Path:
    """Save frames as a GIF that repeats without end. An error leaves no part of a file behind.

    All frames share one palette of 255 colours, chosen from frames of the whole film, and are not
    dithered, so that parts that do not move do not flicker. Consecutive equal frames are stored
    once and shown for longer.

    Args:
        path: of the GIF file.
        frames: pictures of one size: uint8 arrays `(height, width, 3)` or paths of image files.
            Files are opened one at a time.
        seconds_per_frame: how long a frame is shown, to the hundredth of a second.
        last: how long the last frame is shown, in seconds.
        shrink: a whole number by which width and height are divided, averaging the pixels.
        max_frames: if there are more frames, only so many are used: the first, the last, and evenly
            spaced ones in between; None uses all.

    Returns:
        The path. The same frames give the same bytes.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: there are no frames, they differ in size or are not pictures, or a number is
            out of range.
    """
    frames = list(frames)
    if not frames:
        raise ValueError("a film needs at least one frame")
    if shrink < 1 or (max_frames is not None and max_frames < 1):
        raise ValueError("shrink and max_frames must be 1 or more")
    if min(seconds_per_frame, last) < 0.02:
        # Viewers show frames with a shorter duration for a tenth of a second.
        raise ValueError("a frame must be shown for at least 0.02 seconds")
    if max_frames is not None and len(frames) > max_frames:
        keep = np.linspace(0, len(frames) - 1, max_frames).round().astype(int)
        # A single frame is the last one.
        frames = [frames[i] for i in keep] if max_frames > 1 else frames[-1:]

    palette = _palette(frames, shrink)
    pictures: list[Any] = []
    size = None
    for number, frame in enumerate(frames):
        picture = _open(frame, shrink)
        size = size or picture.size
        if picture.size != size:
            raise ValueError(
                f"all frames must have one size: frame {number} is {picture.width} x "
                f"{picture.height} pixels, the first is {size[0]} x {size[1]}"
            )
        pictures.append(_quantise(picture, palette))
    # GIF stores hundredths of a second; Pillow takes milliseconds.
    durations = [10 * round(100 * seconds_per_frame)] * (len(pictures) - 1)
    durations.append(10 * round(100 * last))
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=durations if len(pictures) > 1 else durations[0],
        loop=0,
        optimize=False,
    )
    return save_bytes(path, buffer.getvalue())


def _open(frame: Frame, shrink: int) -> Image:
    from PIL import Image

    if isinstance(frame, str | os.PathLike):
        with Image.open(frame) as file:
            picture = file.convert("RGB")
    else:
        pixels = np.asarray(frame)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(
                f"a frame must be uint8 of shape (height, width, 3), "
                f"not {pixels.dtype} of shape {pixels.shape}"
            )
        picture = Image.fromarray(np.ascontiguousarray(pixels))
    return picture.reduce(shrink) if shrink > 1 else picture


def _palette(frames: Sequence[Frame], shrink: int) -> Image:
    """Return a picture whose palette suits frames of the whole film, the last one best of all."""
    from PIL import Image

    # A sample of the pixels is enough. It is random, because a regular one could miss the same
    # columns of every image in a grid. The last frame is shown longest, so it counts most.
    rng = np.random.default_rng(0)
    chosen = sorted({*np.linspace(0, len(frames) - 1, 8).round().astype(int)})
    pixels = []
    for i in chosen:
        colours = np.asarray(_open(frames[i], shrink)).reshape(-1, 3)
        wanted = 64_000 if i == chosen[-1] else 6_000
        if len(colours) > wanted:
            colours = colours[rng.integers(0, len(colours), wanted)]
        pixels.append(colours)
    sheet = Image.fromarray(np.concatenate(pixels)[None])
    # One of 256 colours stays free: GIF uses it to mark pixels that have not changed.
    return sheet.quantize(255, method=Image.Quantize.MEDIANCUT, kmeans=1)


def _quantise(picture: Image, palette: Image) -> Image:
    from PIL import Image

    return picture.quantize(palette=palette, dither=Image.Dither.NONE)
