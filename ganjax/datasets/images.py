"""Pictures: a set of them, and which files hold one.

File names come out of other people's folders and archives. They may hold newlines, bytes that are not
text (which Python carries as lone surrogates), or paths that lead elsewhere.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

# Pillow's names of the formats that are tried, each with the part of Pillow it needs that may be lacking.
# Pillow opens many more: rare ones, whose decoders few people test; some that have no signature to be known
# by; and PostScript, for which it starts another program.
_FORMATS = {
    "JPEG": "jpg",
    "PNG": "zlib",
    "WEBP": "webp",
    "GIF": None,
    "BMP": None,
    "TIFF": None,
    "JPEG2000": "jpg_2000",
    "AVIF": "avif",
    "PPM": None,
    "QOI": None,
}
FORMAT_NAMES = "JPEG, PNG, WebP, GIF, BMP, TIFF, JPEG 2000, AVIF, PPM or QOI"
"""The formats that are read, in words."""

COMPANIONS = frozenset({
    ".aae", ".bib", ".cff", ".cfg", ".conf", ".css", ".csv", ".db", ".htm", ".html", ".ini", ".js", ".json",
    ".jsonl", ".log", ".md", ".md5", ".nfo", ".py", ".rst", ".sh", ".sha1", ".sha256", ".toml", ".tsv",
    ".txt", ".url", ".xml", ".xmp", ".yaml", ".yml",
})  # fmt: skip
"""Extensions of what people and programs put beside pictures: notes, captions, tables, settings, indexes."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Square colour pictures of one size, with whatever is known about each.

    Attributes:
        images: uint8 ``(n, size, size, 3)``, RGB in 0..255; usually a read-only memory map.
        labels: attribute -> int32 ``(n,)``; empty where nothing is known.
        label_names: attribute -> names of its values, indexed by the label.
        fingerprint: SHA-256 (hexadecimal) of the pictures' shape and contents.
        name: what the set is called in manifests and messages.
        skipped: names of the files that were not used, each with the reason.
        path: the folder it is cached in, or None when it lives in memory only.
        origin: where it was downloaded: ``url``, and ``sha256`` of the archive; empty for other sets.
    """

    images: np.ndarray
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    label_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fingerprint: str = ""
    name: str = ""
    skipped: tuple[str, ...] = ()
    path: Path | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Height and width of every picture, in pixels."""
        return self.images.shape[1]


def fingerprint(images: np.ndarray) -> str:
    """SHA-256 (hexadecimal) of the shape and the contents of ``images``, uint8 (n, ...)."""
    digest = hashlib.sha256(repr(tuple(images.shape)).encode())
    digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()


@functools.cache
def formats() -> tuple[str, ...]:
    """The formats that are read, by Pillow's names: those that the installed Pillow was built with."""
    from PIL import features

    return tuple(each for each, part in _FORMATS.items() if part is None or features.check(part))


@functools.cache
def picture_extensions() -> frozenset[str]:
    """The extensions, in small letters and with their dot, of files in one of the `formats`."""
    from PIL import Image

    return frozenset(end for end, kind in Image.registered_extensions().items() if kind in formats())


def extension(name: str) -> str:
    """What follows the last dot of a file's name, in small letters and with the dot.

    Empty where that is no extension, as in `frame.0001`, `photo.jpg~` and `photo.jpg_large`: then only the
    content can tell what the file is.
    """
    found = PurePosixPath(name.replace("\\", "/")).suffix
    return found.lower() if re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]*", found) else ""


def is_picture(name: str) -> bool:
    """Whether a file of this name, relative to its folder or archive, is in one of the `formats` by its name.

    Never if it or a folder it is in is hidden or a Mac's resource fork.
    """
    return is_visible(name) and extension(name) in picture_extensions()


def is_visible(name: str) -> bool:
    """Whether neither a file of this name nor a folder it is in is hidden or a Mac's resource fork."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return not any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)


def points_outside(name: str) -> bool:
    """Whether an archive's entry of this name could leave the folder it is unpacked into, on any system."""
    name = name.replace("\\", "/")
    has_drive = name[1:2] == ":" and name[0].isascii() and name[0].isalpha()
    return name.startswith("/") or has_drive or ".." in name.split("/")


def shown(name: str | os.PathLike[str]) -> str:
    """The name as it can be printed: whatever is not printable, newlines included, becomes an escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in os.fspath(name))
