"""Your own pictures: a folder or an archive becomes a set of small squares.

Archives are read entry by entry and never extracted. Symbolic links in a folder are followed, links in an
archive are not. Every file that is not used is named with the reason, except texts and the like
(`images.COMPANIONS`) and hidden files, which nobody takes for pictures. Labels are taken from .csv files
beside the pictures, where there are any (see `labels.py`).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ganjax.datasets.archives import Entry, read_archive
from ganjax.datasets.cache import Contents, Write, cached
from ganjax.datasets.images import (
    COMPANIONS,
    FORMAT_NAMES,
    ImageSet,
    extension,
    formats,
    is_visible,
    picture_extensions,
    shown,
)
from ganjax.datasets.labels import Tables, is_table
from ganjax.datasets.listing import list_folder, read_folder, stamp
from ganjax.errors import UserError

MAX_PIXELS = 2**26
# Grows with every change that alters a set's pictures or labels: what older code has cached is then not used.
DECODING = 3
# How many files are held in memory at once: enough to keep every core decoding.
_WINDOW = 64
_WINDOW_BYTES = 2**28


def load_images(
    path: str | os.PathLike,
    size: int,
    cache_dir: str | os.PathLike | None = None,
    progress: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> ImageSet:
    """The pictures of a folder or archive, centre-cropped and resized to ``size``.

    Each is turned upright by its EXIF orientation, laid on white where transparent, cropped to its
    central square and resized with antialiasing (Lanczos); of an animation, the first frame.
    Kept in the cache until a file's name, size or modification time changes.

    JPEG, PNG, WebP, GIF, BMP, TIFF, JPEG 2000, AVIF, PPM (with PBM and PGM) and QOI are read, as far as the
    installed Pillow can. The file's content counts, not its extension; a file with the extension of something
    else is not read, and one without an extension is tried.

    Args:
        path: a folder, searched with its subfolders and all that symbolic links in it lead to, each folder
            once, and taken in sorted order; or a .zip or .tar (plain, .gz, .bz2 or .xz), taken in its own
            order.
        size: height and width of the results, in pixels.
        cache_dir: where sets are kept; by default the user's cache folder.
        progress: show a progress bar while reading (on a terminal only).
        max_pixels: a picture of more pixels than this (by default 2^26, 67 million) is refused
            by its header, before it is decoded.

    Returns:
        The set. Its ``skipped`` names each file that is not used, with the reason; except hidden files and
        what stands beside pictures (``images.COMPANIONS``, and texts without an extension).

    Raises:
        UserError: nothing there, no pictures in it, none that can be used, a damaged archive or one made
            to fill a computer (see ``read_archive``), or the cache folder cannot be written.
        ValueError: ``size`` is not positive.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    path = _existing(path)
    most = 4 * max_pixels + 2**24  # bytes of a file: four for each pixel, and metadata

    def refuse(name: str, length: int) -> str:
        end = extension(name)
        if end and end not in picture_extensions() and not is_table(name):
            return f"{end} files are not read"
        return f"is over the limit of {most} bytes" if length > most else ""

    if path.is_dir():
        listing = list_folder(path, _is_wanted)
        stamps, entries = listing.stamps(), read_folder(listing, refuse)
    else:
        stamps, entries = stamp(path), read_archive(path, _is_wanted, refuse)

    def build(write: Write) -> Contents:
        return _build(path, entries, size, max_pixels, progress, write)

    recipe = {
        "folder": str(path.resolve()),
        "listing": hashlib.sha256(json.dumps(stamps).encode()).hexdigest(),
        "max_pixels": max_pixels,
        "formats": formats(),
        "decoding": DECODING,
    }
    name = re.sub(r"[^\w-]+", "_", path.stem)[:40] or "images"
    return cached(name, recipe, size, build, cache_dir)


def _existing(path: str | os.PathLike) -> Path:
    """``path`` with its ``~`` resolved.

    Raises:
        UserError: it is neither a folder nor a plain file, or it cannot be told.
    """
    remedy = "give a folder, .zip or .tar of pictures"
    try:
        found = Path(path).expanduser()
        mode = found.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"no such folder or archive: {shown(path)}; {remedy}") from error
    except (OSError, RuntimeError, ValueError) as error:  # no such user's ~, or a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"cannot open {shown(path)} ({reason}): {remedy}") from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise UserError(f"{shown(path)} is neither a folder nor an archive: {remedy}")
    return found


def _build(
    path: Path,
    entries: Iterable[Entry],
    size: int,
    max_pixels: int,
    progress: bool,
    write: Write,
) -> Contents:
    from PIL import Image, UnidentifiedImageError
    from tqdm import tqdm

    skipped: list[str] = []
    used: list[str] = []
    tables = Tables()

    def decode(entry: Entry) -> np.ndarray | str:
        """The picture, or the reason why there is none: empty where nobody would take the file for one."""
        if entry.refused:
            return entry.refused
        try:
            return _square(entry.data, size, max_pixels)
        except UnidentifiedImageError:
            if not extension(entry.name) and b"\0" not in entry.data[:8000]:
                return ""  # a text, as README and LICENSE are
            return "is not a picture in a format that is read"
        except Image.DecompressionBombError:  # Pillow's own limit, which cannot be set for one call
            return f"is over the limit of {max_pixels} pixels, or Pillow's own"
        except Exception as error:  # broken bytes make Pillow raise nearly anything
            return f"cannot be read ({shown(str(error) or type(error).__name__)})"

    bar = tqdm(desc="reading pictures", unit="picture", disable=None if progress else True)
    # Pillow warns of odd metadata, and of a pixel limit of its own.
    with bar, warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")
        for window in _in_windows(_without_tables(entries, tables)):
            for entry, result in zip(window, pool.map(decode, window), strict=True):
                if not isinstance(result, str):
                    write(result[None])
                    used.append(entry.name)
                elif result:
                    skipped.append(f"{shown(entry.name)}: {result}")
            bar.update(len(window))
    if not used:
        others = f", and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        named = f"; not used: {skipped[0]}{others}" if skipped else ""
        raise UserError(
            f"no usable pictures in {shown(path)}: give {FORMAT_NAMES} files "
            f"(archives inside it are not opened){named}"
        )
    labels, label_names, reason = tables.labels_of(used)
    return Contents(labels, label_names, (*skipped, *([reason] if reason else [])))


def _is_wanted(name: str) -> bool:
    """Whether a file of this name is read, or, if it is not, named as passed over."""
    return is_table(name) or (is_visible(name) and extension(name) not in COMPANIONS)


def _without_tables(entries: Iterable[Entry], tables: Tables) -> Iterator[Entry]:
    """The entries without the tables among them, whose content goes into `tables`."""
    for entry in entries:
        if not is_table(entry.name):
            yield entry
        elif not entry.refused:
            tables.add(entry.name, entry.data)


def _square(data: bytes, size: int, max_pixels: int) -> np.ndarray:
    """One picture file as uint8 (size, size, 3)."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=formats()) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ValueError(f"{width} x {height} is over the limit of {max_pixels} pixels")
        bits = _bits(image)
        # Lets JPEG skip detail that resizing would throw away.
        image.draft(None, (2 * size, 2 * size))
        upright = ImageOps.exif_transpose(image)
        if bits > 8:  # convert() would clip, not scale
            upright = Image.fromarray((np.asarray(upright).astype(np.int32) >> (bits - 8)).astype(np.uint8))
        if upright.has_transparency_data:
            white = Image.new("RGBA", upright.size, "white")
            upright = Image.alpha_composite(white, upright.convert("RGBA"))
        fitted = ImageOps.fit(upright.convert("RGB"), (size, size), Image.Resampling.LANCZOS)
        return np.asarray(fitted)


def _bits(image: Any) -> int:
    """How many bits the pixels of a grey picture have that Pillow gives as they are; 8 for all others.

    Raises:
        ValueError: pixels are signed, of 32 bits or floating point, and may have any range.
    """
    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        raise ValueError("pixels of unknown range: save it with 8 or 16 bits a channel, unsigned")
    if not image.mode.startswith("I"):
        return 8
    return image.tag_v2[258][0] if image.format == "TIFF" else 16  # the tag BitsPerSample: 12 or 16


def _in_windows(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """``entries``, as many at a time as are held in memory as files."""
    window: list[Entry] = []
    for entry in entries:
        window.append(entry)
        if len(window) == _WINDOW or sum(len(held.data) for held in window) > _WINDOW_BYTES:
            yield window
            window = []
    if window:
        yield window
