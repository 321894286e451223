"""Sets of pictures, and which files are pictures.

File names come from other people's folders and archives. They may contain newlines, bytes that are not text
(which Python represents as lone surrogates), or paths that lead out of their folder.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# Pillow's names of the formats that are read, each with the optional part of Pillow that it needs. Pillow
# opens many more: rare formats whose decoders are little tested, some that cannot be recognised by a
# signature, and PostScript, for which it starts another program.
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
"""The formats that are read, for messages."""

COMPANIONS = frozenset({
    ".aae", ".bib", ".cff", ".cfg", ".conf", ".css", ".csv", ".db", ".htm", ".html", ".ini", ".js", ".json",
    ".jsonl", ".log", ".md", ".md5", ".nfo", ".py", ".rst", ".sh", ".sha1", ".sha256", ".toml", ".tsv",
    ".txt", ".url", ".xml", ".xmp", ".yaml", ".yml",
})  # fmt: skip
"""Extensions of files that are often found beside pictures and contain none: captions, tables, settings."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Square colour pictures of one size, with their labels if they have any.

    Attributes:
        images: uint8 ``(n, size, size, 3)``, RGB in 0..255; usually a read-only memory map.
        labels: attribute -> int32 ``(n,)``; empty if there are no labels.
        label_names: attribute -> names of its values, indexed by the label.
        fingerprint: SHA-256 (hexadecimal) of the pictures' shape and contents.
        name: what the set is called in manifests and messages.
        skipped: names of the files that were not used, each with the reason.
        path: the folder in which it is cached; None if it is in memory only.
        origin: if it was downloaded, ``url`` and the archive's ``sha256``; else empty.
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
    """Pillow's names of the formats that are read: those that the installed Pillow supports."""
    from PIL import features

    return tuple(each for each, part in _FORMATS.items() if part is None or features.check(part))


@functools.cache
def picture_extensions() -> frozenset[str]:
    """The extensions of files in these `formats`, in lower case, with the dot."""
    from PIL import Image

    return frozenset(end for end, kind in Image.registered_extensions().items() if kind in formats())


def extension(name: str) -> str:
    """The extension of a file's name, in lower case, with the dot; empty if it has none.

    It has none if what follows the last dot is not a letter and then letters and digits, as in `frame.0001`,
    `photo.jpg~` and `photo.jpg_large`. Such files can only be recognised by their content.
    """
    found = re.search(r"[^/\\](\.[A-Za-z][A-Za-z0-9]*)\Z", name)
    return found[1].lower() if found else ""


def is_picture(name: str) -> bool:
    """Whether a file's name, relative to its folder or archive, has an extension of one of the `formats`.

    False if the file or a folder that it is in is hidden, or contains macOS resource forks.
    """
    return is_visible(name) and extension(name) in picture_extensions()


def is_visible(name: str) -> bool:
    """Whether neither the file nor a folder that it is in is hidden or contains macOS resource forks."""
    parts = name.replace("\\", "/").split("/")
    return not any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts)


def points_outside(name: str) -> bool:
    """Whether an archive's entry of this name could be unpacked outside the target folder, on any system."""
    name = name.replace("\\", "/")
    has_drive = name[1:2] == ":" and name[0].isascii() and name[0].isalpha()
    return name.startswith("/") or has_drive or ".." in name.split("/")


def shown(name: str | os.PathLike[str]) -> str:
    """The name in a printable form: characters that are not printable, such as newlines, are escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in os.fspath(name))
