"""Pictures inside a page, as `data:` URLs, compressed so that the page stays small."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

FRAMES = 40  # most frames of a slider
FRAMES_BYTES = 2_000_000  # most bytes of all frames together; as text they take a third more
LOSSLESS_BYTES = 500_000  # most bytes of a picture that is compressed without loss

# WebP's effort from 0 to 6: this takes 0.01 s a picture; more effort would save only 5 % of the bytes.
_METHOD = 2


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture to show.

    Attributes:
        source: a `data:` URL.
        width, height: pixels.
    """

    source: str
    width: int
    height: int


def exact(path: Path) -> Picture | None:
    """The picture at `path`, without loss unless that takes too much space; None if it is not a picture."""
    pixels = pixels_of(path)
    if pixels is None:
        return None
    packed = _webp(pixels, lossless=True, quality=50)
    if len(packed) > LOSSLESS_BYTES:
        packed = _webp(pixels, quality=90)
    return _picture(packed, pixels.size)


def frames(paths: Sequence[tuple[int, Path]]) -> list[tuple[int, Picture]]:
    """Steps and pictures for a slider: all, or evenly spaced ones including the first and the last.

    Files that are not pictures are left out.
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
    """The picture at `path` in RGB; None if the file is not a picture."""
    from PIL import Image

    try:
        with Image.open(path) as file:
            return file.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def thinned(items: list, most: int) -> list:
    """At most `most` of the items (2 or more), evenly spaced, including the first and the last."""
    if len(items) <= most:
        return items
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _webp(pixels: Image, *, quality: int, lossless: bool = False) -> bytes:
    buffer = io.BytesIO()
    pixels.save(buffer, "WEBP", quality=quality, lossless=lossless, method=_METHOD)
    return buffer.getvalue()


def _picture(packed: bytes, size: tuple[int, int]) -> Picture:
    return Picture(f"data:image/webp;base64,{base64.b64encode(packed).decode()}", *size)
