"""The files in a folder, including folders that symbolic links in it lead to, each folder once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ganjax.datasets.archives import Entry
from ganjax.datasets.images import extension, is_picture, is_visible, shown
from ganjax.system.errors import UserError


@dataclass(frozen=True)
class Listing:
    """What was found in a folder. All names are relative to it.

    Attributes:
        folder: its path.
        names: the files to read, sorted.
        refused: files and folders that are not read, each with the reason, sorted by name.
        links: the links to folders that were followed, each with its target.
    """

    folder: Path
    names: list[str]
    refused: list[Entry]
    links: list[tuple[str, str]]

    def stamps(self) -> list:
        """JSON values that change when a file is added, removed or changed, or a link gets another target."""
        files = [[name, *stamp(os.path.join(self.folder, name))] for name in self.names]
        return [files, [[entry.name, entry.refused] for entry in self.refused], self.links]


def list_folder(folder: Path, wanted: Callable[[str], bool]) -> Listing:
    """The files whose names are ``wanted`` in ``folder``, in its subfolders and in folders that it links to.

    Hidden folders are not searched. No folder is read twice: links to folders are followed last, and only if
    their target has not been read and contains neither the link nor ``folder``. A file without an extension
    is not read if a picture is a link to it.

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
    for top in waiting:  # grows during the loop
        for root, folders, files in os.walk(top, onerror=cannot_search):
            here = name_of(root)
            first = seen.setdefault(_identity(root), here)
            if first != here:
                refused.append(Entry(here, refused=f"is the same folder as {shown(first)}"))
                folders.clear()
                continue
            names += files if here == "." else [f"{here}/{file}" for file in files]
            folders[:] = sorted(filter(is_visible, folders))
            for path in (os.path.join(root, each) for each in folders):
                if not os.path.islink(path):
                    continue
                target = os.path.realpath(path)
                if any(Path(os.path.realpath(each)).is_relative_to(target) for each in (root, folder)):
                    refused.append(Entry(name_of(path), refused="is a link to a folder that contains it"))
                else:
                    links.append((name_of(path), target))
                    waiting.append(path)
    names = sorted(filter(wanted, names))
    twice = _linked_by_pictures(folder, names)
    refused += [Entry(name, refused=f"is the same file as {shown(other)}") for name, other in twice.items()]
    names = [name for name in names if name not in twice]
    return Listing(folder, names, sorted(refused, key=lambda entry: entry.name), links)


def read_folder(listing: Listing, refuse: Callable[[str, int], str]) -> Iterator[Entry]:
    """The files of ``listing``, and then what it refuses.

    Args:
        refuse: the reason not to read a file of this name and size in bytes; empty for a file to read.
    """
    for name in listing.names:
        path = listing.folder / name
        try:
            about = path.stat()
            refused = refuse(name, about.st_size) if stat.S_ISREG(about.st_mode) else "is not a regular file"
            yield Entry(name, refused=refused) if refused else Entry(name, path.read_bytes())
        except OSError as error:
            yield Entry(name, refused=f"cannot be opened ({error.strerror})")
    yield from listing.refused


def stamp(path: str | os.PathLike[str]) -> list[int]:
    """Size in bytes and modification time, in ns, of the file at ``path``; -1 each if they cannot be read."""
    try:
        about = os.stat(path)
    except OSError:  # for example, a broken link
        return [-1, -1]
    return [about.st_size, about.st_mtime_ns]


def _linked_by_pictures(folder: Path, names: list[str]) -> dict[str, str]:
    """Files without an extension to which pictures are links: file -> picture.

    Download caches may look like that: each file is named by its digest, and links to it have its real name.
    """
    bare = [name for name in names if not extension(name)]
    if not bare:
        return {}
    pictures = {_identity(folder / name): name for name in reversed(names) if is_picture(name)}
    pictures.pop(None, None)
    found = {name: pictures.get(_identity(folder / name)) for name in bare}
    return {name: picture for name, picture in found.items() if picture}


def _identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Device and inode, the same for all paths to a file or folder; None if they cannot be read."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino
