"""The files in a folder, and in the folders that symbolic links in it lead to, each folder once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ganjax.datasets.archives import Entry
from ganjax.datasets.images import extension, is_picture, is_visible, shown
from ganjax.errors import UserError


@dataclass(frozen=True)
class Listing:
    """What was found in a folder.

    Attributes:
        folder: its path.
        names: its files, relative to it and through links, sorted.
        refused: files and folders that are not read, each with the reason, sorted by name.
        links: the links to folders that were followed, each with the path that it leads to.
    """

    folder: Path
    names: list[str]
    refused: list[Entry]
    links: list[tuple[str, str]]

    def stamps(self) -> list:
        """JSON values that change when a file is added, removed or changed, or a link leads elsewhere."""
        files = [[name, *stamp(self.folder / name)] for name in self.names]
        return [files, [[entry.name, entry.refused] for entry in self.refused], self.links]


def list_folder(folder: Path, wanted: Callable[[str], bool]) -> Listing:
    """The files whose names are ``wanted``, in ``folder``, its subfolders and what links lead to.

    Hidden folders are not searched. Links are followed last, and none to a folder that is read already or to
    one that the link is in: so no folder is read twice, and one inside ``folder`` is read under its own name.
    A file without an extension is not read if a picture's name is a link to it.

    Raises:
        UserError: ``folder`` itself cannot be searched.
    """
    names: list[str] = []
    refused: list[Entry] = []
    links: list[tuple[str, str]] = []
    seen: dict[tuple[int, int] | None, str] = {}

    def name_of(path: str) -> str:
        return Path(path).relative_to(folder).as_posix()

    def cannot_search(error: OSError) -> None:
        if error.filename == os.fspath(folder):
            raise UserError(
                f"cannot read the folder {shown(folder)} ({error.strerror}): check its permissions"
            )
        refused.append(Entry(name_of(error.filename), refused=f"cannot be searched ({error.strerror})"))

    waiting = [os.fspath(folder)]
    for top in waiting:  # which grows meanwhile
        for root, folders, files in os.walk(top, onerror=cannot_search):
            here = name_of(root)
            first = seen.setdefault(_identity(root), here)
            if first != here:
                refused.append(Entry(here, refused=f"is the same folder as {shown(first)}"))
                folders.clear()
                continue
            names += [name_of(os.path.join(root, file)) for file in files]
            folders[:] = sorted(filter(is_visible, folders))
            for path in (os.path.join(root, each) for each in folders):
                if not os.path.islink(path):
                    continue
                target = os.path.realpath(path)
                if Path(os.path.realpath(root)).is_relative_to(target):
                    refused.append(Entry(name_of(path), refused="leads back to a folder that it is in"))
                else:
                    links.append((name_of(path), target))
                    waiting.append(path)
    names = sorted(filter(wanted, names))
    twice = _linked_by_pictures(folder, names)
    refused += [Entry(name, refused=f"is the same file as {shown(other)}") for name, other in twice.items()]
    names = [name for name in names if name not in twice]
    return Listing(folder, names, sorted(refused, key=lambda entry: entry.name), links)


def read_folder(listing: Listing, refuse: Callable[[str, int], str]) -> Iterator[Entry]:
    """The files of ``listing``, in its order, and then what it refuses.

    Args:
        refuse: why a file of this name and length in bytes is not read; empty for one that is.
    """
    for name in listing.names:
        path = listing.folder / name
        try:
            about = path.stat()
            refused = refuse(name, about.st_size) if stat.S_ISREG(about.st_mode) else "is not a plain file"
            yield Entry(name, refused=refused) if refused else Entry(name, path.read_bytes())
        except OSError as error:
            yield Entry(name, refused=f"cannot be opened ({error.strerror})")
    yield from listing.refused


def stamp(path: Path) -> list[int]:
    """Length in bytes and time of change of the file at ``path``; -1 each where it cannot be had."""
    try:
        about = path.stat()
    except OSError:  # as of a link to nothing
        return [-1, -1]
    return [about.st_size, about.st_mtime_ns]


def _linked_by_pictures(folder: Path, names: list[str]) -> dict[str, str]:
    """Files without an extension, each with the name of a picture that is a link to it.

    Caches of downloads are made so: a file is named by its digest, and links to it have the better names.
    """
    bare = [name for name in names if not extension(name)]
    if not bare:
        return {}
    pictures = {_identity(folder / name): name for name in reversed(names) if is_picture(name)}
    pictures.pop(None, None)
    found = {name: pictures.get(_identity(folder / name)) for name in bare}
    return {name: picture for name, picture in found.items() if picture}


def _identity(path: str | os.PathLike) -> tuple[int, int] | None:
    """Device and inode, which all paths to one file or folder share; None where they cannot be had."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino
