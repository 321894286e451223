"""What the name of a file tells, when the name may be anything.

Names come out of other people's folders and archives: they may hold newlines, bytes that are no
text (which Python carries as lone surrogates), or paths that lead elsewhere.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"})


def is_picture(name: str) -> bool:
    """Whether a file of this name, relative to its folder or archive, is taken for a picture.

    Those with a known suffix, unless they or a folder they are in are hidden or a Mac's resource forks.
    """
    return is_visible(name) and PurePosixPath(name.replace("\\", "/")).suffix.lower() in SUFFIXES


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
