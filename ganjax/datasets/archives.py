"""The files in an archive, one after another, in memory only: nothing is ever extracted to disk.

An archive may be malicious. The sizes that it states are checked against two limits, one for each file and
one for all files together, before anything is unpacked.
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
from ganjax.system.errors import UserError

# How many times its own size an archive may unpack to. Most pictures are compressed already; BMPs of few
# colours are not, but stay below this.
EXPANSION = 100
# How many bytes any archive may unpack to, however small it is.
ALWAYS_ALLOWED = 2**30
# The longest header of a tar file, in bytes. tarfile would read as many as a header asks for; those with long
# names have some hundred.
HEADER = 2**20

_COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


@dataclass(frozen=True)
class Entry:
    """A file: its name, and its content or the reason why it was not read."""

    name: str
    data: bytes = b""
    refused: str = ""


class _TooMuch(Exception):
    """More would be unpacked than is allowed."""


def read_archive(
    path: Path, wanted: Callable[[str], bool], refuse: Callable[[str, int], str]
) -> Iterator[Entry]:
    """The files whose names are ``wanted``, in the archive's own order.

    An entry has a reason in place of a content if its name points outside the archive, if it is a link (its
    target is in the archive under its own name, or else outside), a device, encrypted or damaged, or if
    ``refuse`` gives a reason.

    Args:
        path: a .zip file, or a .tar file, uncompressed or compressed by gzip, bzip2 or xz. Its name does not
            matter.
        wanted: whether a file of this name is of interest; others are ignored.
        refuse: the reason not to read a file of this name and size in bytes; empty for a file to read.

    Raises:
        UserError: the file is not an archive or is damaged, or would unpack to more than ``EXPANSION`` times
            its own size and more than ``ALWAYS_ALLOWED`` bytes.
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
            f"{shown(path)} would unpack to more than {limit} bytes, perhaps made to fill the disk: "
            "if you trust it, unpack it and give the folder"
        ) from error
    except Exception as error:  # broken bytes make zipfile and tarfile raise nearly anything
        raise UserError(
            f"cannot read the archive {shown(path)} ({_reason(error)}): download it again, or give a folder"
        ) from error
    raise UserError(f"{shown(path)} is not a folder, nor a .zip or .tar archive (or it is damaged)")


def _zip_entries(
    path: Path, wanted: Callable[[str], bool], refuse: Callable[[str, int], str], limit: int
) -> Iterator[Entry]:
    def refusal(info: zipfile.ZipInfo) -> str:
        if points_outside(info.filename):
            return "points outside the archive"
        if stat.S_ISLNK(info.external_attr >> 16):
            return "is a link: links in archives are not followed"
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
                except Exception as error:  # as above; the next file may be undamaged
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
            return "is a link, a device or a sparse file: these are not read from archives"
        return refuse(member.name, member.size)

    here = -1
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]  (else it keeps every member it has read)
        if member.offset <= here:
            raise tarfile.ReadError("a header points back to an earlier one")
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
        return tarfile.open(fileobj=file, mode="r:")  # type: ignore[arg-type]  (it has all methods needed)
    except tarfile.ReadError:
        return None


class _Headers:
    """The file as tarfile reads it: only headers, up to ``limit`` (also what it skips has to be unpacked)."""

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
