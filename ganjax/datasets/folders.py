"""Your own pictures: from a folder or an archive to a set of small square pictures.

Archives are read file by file and never extracted. Symbolic links are followed in folders, not in archives.
Every file that is not used is named with the reason, except for hidden files, texts and others that are
obviously not pictures (`images.COMPANIONS`). Labels are read from .csv files beside the pictures, if there
are any (see `labels.py`).
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
from ganjax.system.errors import UserError

MAX_PIXELS = 2**26
# To be increased with every change that alters pictures or labels: then sets of older code are built again.
DECODING = 3
# How many files are in memory at once: enough to keep every core busy.
_WINDOW = 64
_WINDOW_BYTES = 2**28


def load_images(
    path: str | os.PathLike[str],
    size: int,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> ImageSet:
    """The pictures of a folder or archive, centre-cropped and resized to ``size``.

    Each picture is rotated as its EXIF orientation says, put on white where it is transparent, cropped to its
    central square and resized with antialiasing (Lanczos). Only the first frame of an animation is used. The
    set is cached until a file's name, size or modification time changes.

    JPEG, PNG, WebP, GIF, BMP, TIFF, JPEG 2000, AVIF, PPM (also PBM and PGM) and QOI files are read, if the
    installed Pillow supports them. A file with another extension is not read, and one without an extension
    is, if its content is a picture. The format is determined by the content.

    Args:
        path: a folder, which is searched with its subfolders and linked folders, in sorted order; or a .zip
            or .tar (uncompressed, .gz, .bz2 or .xz), in its own order.
        size: height and width of the results, in pixels.
        cache_dir: where sets are kept; by default the user's cache folder.
        progress: show a progress bar while reading (on a terminal only).
        max_pixels: a picture with more pixels (by default 2^26, 67 million) is refused because of its
            header, before it is decoded.

    Returns:
        The set. Its ``skipped`` names each file that is not used, with the reason; except hidden files, texts
        without an extension, and files with an extension in ``images.COMPANIONS``.

    Raises:
        UserError: there is no such folder or archive, it contains no usable pictures, the archive is damaged
            or would unpack to too many bytes (see ``read_archive``), or the cache folder cannot be written.
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


def _existing(path: str | os.PathLike[str]) -> Path:
    """``path``, with ``~`` replaced by the home folder.

    Raises:
        UserError: it is not a folder or a regular file, or cannot be opened.
    """
    remedy = "give a folder, .zip or .tar of pictures"
    try:
        found = Path(path).expanduser()
        mode = found.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"no such folder or archive: {shown(path)}; {remedy}") from error
    except (OSError, RuntimeError, ValueError) as error:  # such as ~ of an unknown user, or a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"cannot open {shown(path)} ({reason}): {remedy}") from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise UserError(f"{shown(path)} is not a folder or an archive: {remedy}")
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
        """The picture, or the reason why the file is not used; empty if it is obviously not a picture."""
        if entry.refused:
            return entry.refused
        try:
            return _square(entry.data, size, max_pixels)
        except UnidentifiedImageError:
            if not extension(entry.name) and b"\0" not in entry.data[:8000]:
                return ""  # a text, such as README or LICENSE
            return "is not a picture in a format that is read"
        except Image.DecompressionBombError:  # Pillow's own limit, which is global
            return f"is over the limit of {max_pixels} pixels, or Pillow's own"
        except Exception as error:  # broken bytes make Pillow raise nearly anything
            return f"cannot be read ({shown(str(error) or type(error).__name__)})"

    bar = tqdm(desc="reading pictures", unit="picture", disable=None if progress else True)
    # Pillow warns about unusual metadata, and about a limit of its own for pixels.
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
    """Whether a file of this name is read, or else named as not used."""
    return is_visible(name) and (extension(name) not in COMPANIONS or is_table(name))


def _without_tables(entries: Iterable[Entry], tables: Tables) -> Iterator[Entry]:
    """The entries that are not tables of labels; the tables are added to `tables`."""
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
        # Faster for JPEG: detail that resizing would remove is not decoded.
        image.draft(None, (2 * size, 2 * size))
        upright = ImageOps.exif_transpose(image)
        if bits > 8:  # convert() would clip instead of scale
            upright = Image.fromarray((np.asarray(upright).astype(np.int32) >> (bits - 8)).astype(np.uint8))
        if upright.has_transparency_data:
            white = Image.new("RGBA", upright.size, "white")
            upright = Image.alpha_composite(white, upright.convert("RGBA"))
        fitted = ImageOps.fit(upright.convert("RGB"), (size, size), Image.Resampling.LANCZOS)
        return np.asarray(fitted)


def _bits(image: Any) -> int:
    """Bits of each number as Pillow decodes it: 12 or 16 for some grey pictures, 8 for all others.

    Raises:
        ValueError: the numbers are signed, have 32 bits, or are floating point, so their range is not known.
    """
    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        raise ValueError("its pixels may have any range: save it with 8 or 16 bits per channel, unsigned")
    if not image.mode.startswith("I"):
        return 8
    return image.tag_v2[258][0] if image.format == "TIFF" else 16  # tag 258: BitsPerSample


def _in_windows(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """``entries``, in lists of as many as may be in memory at once."""
    window: list[Entry] = []
    for entry in entries:
        window.append(entry)
        if len(window) == _WINDOW or sum(len(held.data) for held in window) > _WINDOW_BYTES:
            yield window
            window = []
    if window:
        yield window
