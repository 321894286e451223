"""Your own pictures: a folder or an archive becomes a set of small squares.

Archives are read entry by entry and never extracted. What cannot be used, or should not be
(links, entries that point outside, pictures past the pixel limit), is skipped and named.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from lzma import LZMAError
from pathlib import Path, PurePosixPath

import numpy as np

from ganjax.datasets.cache import Contents, Write, cached
from ganjax.datasets.images import ImageSet
from ganjax.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"})
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 2**26
# Grows with every change that alters a picture: sets cached by older code are left alone.
DECODING = 1
# So many pictures are held as files at once: enough to keep every core decoding.
_WINDOW = 64


@dataclass(frozen=True)
class _Entry:
    """A file that may be a picture: its name, and its bytes or why they were not read."""

    name: str
    data: bytes = b""
    refused: str = ""


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
        UserError: nothing there, no pictures in it, none that can be used, or a broken archive.
        ValueError: ``size`` is not positive.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    path = Path(path).expanduser()
    if not path.exists():
        raise UserError(f"no such folder or archive: {path}")
    if path.is_dir():
        files = _list_folder(path)
        listing = [[name, *_stamp(path / name)] for name in files]
        entries = partial(_folder_entries, path, files)
    else:
        listing = [_stamp(path)]
        entries = partial(_archive_kind(path), path, _max_bytes(max_pixels))

    def build(write: Write) -> Contents:
        return _build(path, entries, size, max_pixels, progress, write)

    stamp = hashlib.sha256(json.dumps(listing).encode("utf-8", "surrogateescape")).hexdigest()
    recipe = {
        "folder": str(path.resolve()),
        "listing": stamp,
        "max_pixels": max_pixels,
        "decoding": DECODING,
    }
    name = re.sub(r"[^\w-]+", "_", path.stem)[:40] or "images"
    return cached(name, recipe, size, build, cache_dir)


def _build(
    path: Path,
    entries: Callable[[], Iterator[_Entry]],
    size: int,
    max_pixels: int,
    progress: bool,
    write: Write,
) -> Contents:
    from tqdm import tqdm

    skipped: list[str] = []
    used = 0

    def decode(entry: _Entry) -> np.ndarray | str:
        if entry.refused:
            return entry.refused
        try:
            return _square(entry.data, size, max_pixels)
        except Exception as error:  # broken bytes make Pillow raise nearly anything
            return f"cannot be read ({str(error) or type(error).__name__})".replace("\n", " ")

    bar = tqdm(desc="reading pictures", unit="picture", disable=None if progress else True)
    # Pillow frets about odd metadata, and its own pixel limit is not the one stated here.
    with bar, warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")
        try:
            source = entries()
            while window := list(islice(source, _WINDOW)):
                for entry, result in zip(window, pool.map(decode, window), strict=True):
                    if isinstance(result, str):
                        skipped.append(f"{entry.name}: {result}")
                    else:
                        write(result[None])
                        used += 1
                bar.update(len(window))
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, LZMAError) as error:
            raise UserError(f"the archive {path} is broken ({error})") from error
    if not used and not skipped:
        raise UserError(f"no pictures in {path}: expected JPEG, PNG, WebP, GIF or BMP files")
    if not used:
        raise UserError(f"none of the {len(skipped)} pictures in {path} can be used; first: {skipped[0]}")
    return Contents(skipped=tuple(skipped))


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


def _is_picture(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    hidden = any((p.startswith(".") and p != "..") or p == "__MACOSX" for p in parts)
    return not hidden and PurePosixPath(name).suffix.lower() in SUFFIXES


def _points_outside(name: str) -> bool:
    name = name.replace("\\", "/")
    return name.startswith("/") or name[1:2] == ":" or ".." in PurePosixPath(name).parts


def _stamp(path: Path) -> list[int]:
    try:
        about = path.stat()
    except OSError:  # a dangling link is listed, and skipped when it comes to reading
        return [-1, -1]
    return [about.st_size, about.st_mtime_ns]


def _max_bytes(max_pixels: int) -> int:
    """No file of so few pixels needs more: four bytes each, and metadata."""
    return 4 * max_pixels + 2**24


def _list_folder(folder: Path) -> list[str]:
    names = []
    for root, _, files in os.walk(folder):
        base = Path(root).relative_to(folder)
        names += [(base / file).as_posix() for file in files]
    return sorted(filter(_is_picture, names))


def _folder_entries(folder: Path, names: list[str]) -> Iterator[_Entry]:
    for name in names:
        try:
            if not stat.S_ISREG((folder / name).stat().st_mode):
                yield _Entry(name, refused="is not a plain file")
                continue
            yield _Entry(name, (folder / name).read_bytes())
        except OSError as error:
            yield _Entry(name, refused=f"cannot be opened ({error.strerror})")


def _archive_kind(path: Path) -> Callable[[Path, int], Iterator[_Entry]]:
    try:
        if zipfile.is_zipfile(path):
            return _zip_entries
        if tarfile.is_tarfile(path):
            return _tar_entries
    except (OSError, EOFError, zlib.error, LZMAError) as error:
        raise UserError(f"cannot read {path} ({error})") from error
    raise UserError(f"{path} is neither a folder nor a .zip or .tar archive")


def _zip_entries(path: Path, max_bytes: int) -> Iterator[_Entry]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.filename
            if info.is_dir() or not _is_picture(name):
                continue
            if _points_outside(name):
                yield _Entry(name, refused="points outside the archive")
            elif stat.S_ISLNK(info.external_attr >> 16):
                yield _Entry(name, refused="is a link")
            elif info.file_size > max_bytes:
                yield _Entry(name, refused=f"is over the limit of {max_bytes} bytes")
            else:
                try:
                    yield _Entry(name, archive.read(info))
                except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error) as error:
                    yield _Entry(name, refused=f"cannot be unpacked ({error})")


def _tar_entries(path: Path, max_bytes: int) -> Iterator[_Entry]:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isdir() or not _is_picture(member.name):
                continue
            if _points_outside(member.name):
                yield _Entry(member.name, refused="points outside the archive")
            elif not member.isreg():
                yield _Entry(member.name, refused="is a link or a device")
            elif member.size > max_bytes:
                yield _Entry(member.name, refused=f"is over the limit of {max_bytes} bytes")
            else:
                file = archive.extractfile(member)
                assert file is not None
                yield _Entry(member.name, file.read())
