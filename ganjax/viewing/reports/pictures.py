"""Pictures inside a page: as `data:` addresses, packed so that the page stays light."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

FRAMES = 40  # at most; more than can be told apart on a slider
FRAMES_BYTES = 2_000_000  # of all of them; a third more as text
LOSSLESS_BYTES = 500_000  # of a picture whose every pixel is kept, where that is possible

# A hundredth of a second a picture; slower methods save a twentieth of the bytes.
_METHOD = 2


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture to show.

    Attributes:
        source: a `data:` address.
        width, height: pixels.
    """

    source: str
    width: int
    height: int


def exact(path: Path) -> Picture | None:
    """The picture at `path` with every pixel as it is, unless that would take too much space; None where the
    file is no picture."""
    pixels = pixels_of(path)
    if pixels is None:
        return None
    packed = _webp(pixels, lossless=True, quality=50)
    if len(packed) > LOSSLESS_BYTES:
        packed = _webp(pixels, quality=90)
    return _picture(packed, pixels.size)


def frames(paths: Sequence[tuple[int, Path]]) -> list[tuple[int, Picture]]:
    """Steps and pictures for a slider: all, or evenly thinned so that they fit; the first and the last stay.

    A file that is no picture is passed over.
    """
    packed = []
    for step, path in thinned(list(paths), FRAMES):
        pixels = pixels_of(path)
        if pixels is not None:
            packed.append((step, _webp(pixels, quality=80), pixels.size))
    while len(packed) > 2 and sum(len(data) for _, data, _ in packed) > FRAMES_BYTES:
        packed = thinned(packed, max(2, len(packed) * 3 // 4))
    return [(step, _picture(data, size)) for step, data, size in packed]


def pixels_of(path: Path) -> Image | None:
    """The picture at `path`, in colour; None where the file is no picture."""
    from PIL import Image

    try:
        with Image.open(path) as file:
            return file.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def thinned(items: list, most: int) -> list:
    """At most so many of `items`, evenly spaced, the first and the last among them; `most` is 2 or more."""
    if len(items) <= most:
        return items
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _webp(pixels: Image, *, quality: int, lossless: bool = False) -> bytes:
    buffer = io.BytesIO()
    pixels.save(buffer, "WEBP", quality=quality, lossless=lossless, method=_METHOD)
    return buffer.getvalue()


def _picture(packed: bytes, size: tuple[int, int]) -> Picture:
    return Picture(f"data:image/webp;base64,{base64.b64encode(packed).decode()}", *size)
