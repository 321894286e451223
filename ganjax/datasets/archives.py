"""The files in an archive, one after another, in memory only: nothing is ever extracted to disk.

An archive may have been made to do harm. What it says of itself is held against two limits, one for
a file and one for all of them together, before anything is unpacked.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ganjax.datasets.images import points_outside, shown
from ganjax.errors import UserError

# Pictures hardly compress any further; flat BMPs do, and stay below this.
EXPANSION = 100
# What any archive may unpack to, however small it is.
ALWAYS_ALLOWED = 2**30
# Of a tar, which is believed whatever length it gives for one: long names take some hundred bytes.
HEADER = 2**20

_COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


@dataclass(frozen=True)
class Entry:
    """A file: its name, and its bytes or why they were not read."""

    name: str
    data: bytes = b""
    refused: str = ""


class _TooMuch(Exception):
    """More would be unpacked than is allowed."""


def read_archive(
    path: Path, wanted: Callable[[str], bool], refuse: Callable[[str, int], str]
) -> Iterator[Entry]:
    """The files whose names are ``wanted``, in the archive's own order.

    Each of these is named with the reason where it is not read: names that point outside the archive, links
    (what a link in an archive leads to is in it under its own name, or outside), devices, encrypted and
    damaged files, and what ``refuse`` gives a reason for.

    Args:
        path: a .zip, or a .tar, plain or compressed by gzip, bzip2 or xz. Its name does not matter.
        wanted: which names are of interest; the others are passed over in silence.
        refuse: why a file of this name and length in bytes is not read; empty for one that is.

    Raises:
        UserError: it is no archive or is damaged, or its files are together more than ``EXPANSION`` times
            as large as the archive, and than ``ALWAYS_ALLOWED``.
    """
    try:
        limit = max(ALWAYS_ALLOWED, EXPANSION * path.stat().st_size)
        with _decompressed(path) as file:
            archive = _as_tar(_Headers(file, limit))
            if archive is not None:
                yield from _tar_entries(archive, file, wanted, refuse)
                return
        if zipfile.is_zipfile(path):
            yield from _zip_entries(path, wanted, refuse, limit)
            return
    except _TooMuch as error:
        raise UserError(
            f"{shown(path)} would unpack to more than {limit} bytes, as archives do that are made to fill a "
            "computer: if you trust it, unpack it and give the folder"
        ) from error
    except Exception as error:  # broken bytes make zipfile and tarfile raise nearly anything
        raise UserError(
            f"cannot read the archive {shown(path)} ({_reason(error)}): fetch it again, or give a folder"
        ) from error
    raise UserError(f"{shown(path)} is neither a folder nor a .zip or .tar archive, or it is a damaged one")


def _zip_entries(
    path: Path, wanted: Callable[[str], bool], refuse: Callable[[str, int], str], limit: int
) -> Iterator[Entry]:
    def refusal(info: zipfile.ZipInfo) -> str:
        if points_outside(info.filename):
            return "points outside the archive"
        if stat.S_ISLNK(info.external_attr >> 16):
            return "is a link, and links in an archive are not followed"
        if info.flag_bits & 1:
            return "is encrypted: unpack the archive and give the folder"
        return refuse(info.filename, info.file_size)

    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir() and wanted(info.filename)]
        if sum(info.file_size for info in members if not refusal(info)) > limit:
            raise _TooMuch
        for info in members:
            entry = Entry(info.filename, refused=refusal(info))
            if not entry.refused:
                try:
                    entry = Entry(info.filename, archive.read(info))
                except Exception as error:  # as above; the next file may be sound
                    entry = Entry(info.filename, refused=f"cannot be unpacked ({_reason(error)})")
            yield entry


def _tar_entries(
    archive: tarfile.TarFile,
    file: IO[bytes],
    wanted: Callable[[str], bool],
    refuse: Callable[[str, int], str],
) -> Iterator[Entry]:
    def refusal(member: tarfile.TarInfo) -> str:
        if points_outside(member.name):
            return "points outside the archive"
        if not member.isreg() or member.issparse():  # a sparse file is larger than what is stored
            return "is a link, a device or a sparse file, which are not read from an archive"
        return refuse(member.name, member.size)

    here = -1
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]  (else it keeps every member it has read)
        if member.offset <= here:
            raise tarfile.ReadError("it leads back to where it was")
        here = member.offset
        if member.isdir() or not wanted(member.name):
            continue
        refused, data = refusal(member), b""
        if not refused:
            file.seek(member.offset_data)
            data = file.read(member.size)
            if len(data) < member.size:
                raise tarfile.ReadError("unexpected end of data")
        yield Entry(member.name, data, refused)


def _decompressed(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        start = file.read(6)
    opener = next((opener for magic, opener in _COMPRESSIONS.items() if start.startswith(magic)), open)
    return opener(path, "rb")


def _as_tar(file: _Headers) -> tarfile.TarFile | None:
    try:
        return tarfile.open(fileobj=file, mode="r:")  # type: ignore[arg-type]  (it has all that is used)
    except tarfile.ReadError:
        return None


class _Headers:
    """What tarfile reads itself: only headers, and nothing past ``limit`` (it unpacks what it skips)."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._limit = file, limit
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        if size > HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        if self.tell() > self._limit:
            raise _TooMuch
        return self._file.read(size)

    def seek(self, position: int) -> int:
        if position > self._limit:
            raise _TooMuch
        return self._file.seek(position)


def _reason(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return shown(said or type(error).__name__)
