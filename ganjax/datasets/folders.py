"""Your own pictures: a folder or an archive becomes a set of small squares.

Archives are read entry by entry and never extracted. What cannot be used, or should not be
(links, entries that point outside, pictures past the pixel limit), is skipped and named. Labels are
taken from .csv files beside the pictures, where there are any (see `labels.py`).
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

import numpy as np

from ganjax.datasets.archives import Entry, read_archive
from ganjax.datasets.cache import Contents, Write, cached
from ganjax.datasets.images import ImageSet, is_picture, shown
from ganjax.datasets.labels import Tables, is_table
from ganjax.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 2**26
# Grows with every change that alters a picture or its labels: sets cached by older code are left alone.
DECODING = 2
# So many pictures are held as files at once: enough to keep every core decoding.
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

    Args:
        path: a folder, searched recursively and taken in sorted order, or a .zip or .tar (plain,
            .gz, .bz2 or .xz), taken in its own order. JPEG, PNG, WebP, GIF and BMP are used;
            hidden files and other kinds are passed over.
        size: height and width of the results, in pixels.
        cache_dir: where sets are kept; by default the user's cache folder.
        progress: show a progress bar while reading (on a terminal only).
        max_pixels: a picture of more pixels than this (by default 2^26, 67 million) is refused
            by its header, before it is decoded.

    Returns:
        The set, without labels. Its ``skipped`` names each unusable file with the reason.

    Raises:
        UserError: nothing there, no pictures in it, none that can be used, a damaged archive or one made
            to fill a computer (see ``read_archive``), or the cache folder cannot be written.
        ValueError: ``size`` is not positive.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    path = _existing(path)
    if path.is_dir():
        names, refused = _list_folder(path)
        listing = [[name, *_stamp(path / name)] for name in (*names, *(entry.name for entry in refused))]
        entries = _folder_entries(path, names, refused, _max_bytes(max_pixels))
    else:
        listing = [_stamp(path)]
        entries = read_archive(path, _is_wanted, _max_bytes(max_pixels))

    def build(write: Write) -> Contents:
        return _build(path, entries, size, max_pixels, progress, write)

    stamp = hashlib.sha256(json.dumps(listing).encode()).hexdigest()
    recipe = {
        "folder": str(path.resolve()),
        "listing": stamp,
        "max_pixels": max_pixels,
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
        if entry.refused:
            return entry.refused
        try:
            return _square(entry.data, size, max_pixels)
        except UnidentifiedImageError:
            return "is no JPEG, PNG, WebP, GIF or BMP file, whatever its name says"
        except Image.DecompressionBombError:  # Pillow's own limit, which cannot be set for one call
            return f"is over the limit of {max_pixels} pixels, or Pillow's own"
        except Exception as error:  # broken bytes make Pillow raise nearly anything
            return f"cannot be read ({shown(str(error) or type(error).__name__)})"

    bar = tqdm(desc="reading pictures", unit="picture", disable=None if progress else True)
    # Pillow frets about odd metadata, and its own pixel limit is not the one stated here.
    with bar, warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")
        for window in _in_windows(_without_tables(entries, tables)):
            for entry, result in zip(window, pool.map(decode, window), strict=True):
                if isinstance(result, str):
                    skipped.append(f"{shown(entry.name)}: {result}")
                else:
                    write(result[None])
                    used.append(entry.name)
            bar.update(len(window))
    if not used and not skipped:
        raise UserError(
            f"no pictures in {shown(path)}: give JPEG, PNG, WebP, GIF or BMP files "
            "(archives inside it are not opened)"
        )
    if not used:
        raise UserError(
            f"none of the {len(skipped)} pictures in {shown(path)} can be used: give others; "
            f"the first is {skipped[0]}"
        )
    labels, label_names, reason = tables.labels_of(used)
    return Contents(labels, label_names, (*skipped, *([reason] if reason else [])))


def _is_wanted(name: str) -> bool:
    return is_picture(name) or is_table(name)


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

    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ValueError(f"{width} x {height} is over the limit of {max_pixels} pixels")
        # Lets JPEG skip detail that resizing would throw away.
        image.draft(None, (2 * size, 2 * size))
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):  # 16 bits a pixel; convert() would clip, not scale
            upright = Image.fromarray((np.asarray(upright) // 256).astype(np.uint8))
        if upright.has_transparency_data:
            white = Image.new("RGBA", upright.size, "white")
            upright = Image.alpha_composite(white, upright.convert("RGBA"))
        fitted = ImageOps.fit(upright.convert("RGB"), (size, size), Image.Resampling.LANCZOS)
        return np.asarray(fitted)


def _stamp(path: Path) -> list[int]:
    try:
        about = path.stat()
    except OSError:  # a dangling link is listed, and skipped when it comes to reading
        return [-1, -1]
    return [about.st_size, about.st_mtime_ns]


def _max_bytes(max_pixels: int) -> int:
    """No file of so few pixels needs more: four bytes each, and metadata."""
    return 4 * max_pixels + 2**24


def _list_folder(folder: Path) -> tuple[list[str], list[Entry]]:
    """Names of the pictures and tables under ``folder``, sorted, and the folders that cannot be searched."""
    names: list[str] = []
    refused: list[Entry] = []

    def refuse(error: OSError) -> None:
        if error.filename == os.fspath(folder):
            raise UserError(f"cannot read the folder {shown(folder)} ({error.strerror}): see to its rights")
        name = Path(error.filename).relative_to(folder).as_posix()
        refused.append(Entry(name, refused=f"cannot be searched ({error.strerror})"))

    for root, _, files in os.walk(folder, onerror=refuse):
        base = Path(root).relative_to(folder)
        names += [(base / file).as_posix() for file in files]
    return sorted(filter(_is_wanted, names)), refused


def _folder_entries(folder: Path, names: list[str], refused: list[Entry], max_bytes: int) -> Iterator[Entry]:
    for name in names:
        try:
            about = (folder / name).stat()
            if not stat.S_ISREG(about.st_mode):
                yield Entry(name, refused="is not a plain file")
            elif about.st_size > max_bytes:
                yield Entry(name, refused=f"is over the limit of {max_bytes} bytes")
            else:
                yield Entry(name, (folder / name).read_bytes())
        except OSError as error:
            yield Entry(name, refused=f"cannot be opened ({error.strerror})")
    yield from refused


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
