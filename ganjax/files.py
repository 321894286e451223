"""Files that are either whole or not there, and the same bytes for the same content."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".writing-"  # how the names of temporary files and folders begin

_asking_umask = threading.Lock()


@contextmanager
def atomic(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix, which takes its place when the block ends well.

    When the block raises, `path` is left as it was and the temporary file is removed. When it ends, the
    content has reached the disk before the name has, so that no crash leaves an empty file under it.
    """
    path = Path(path)
    with naming(path):
        handle, name = tempfile.mkstemp(
            suffix=path.suffix, prefix=f"{UNFINISHED}{path.stem}-", dir=path.parent
        )
        os.close(handle)
    temporary = Path(name)
    try:
        with naming(path):
            yield temporary
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes files for the owner's eyes only
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
    """Let an error of the system's that names no file, as of a full disk, or a temporary one name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and (not error.filename or UNFINISHED in str(error.filename)):
            error.filename = os.fspath(path)
        raise


def remove_unfinished(folder: str | os.PathLike) -> None:
    """Remove what a process that was killed has left half-written anywhere in `folder`."""
    for path in list(Path(folder).rglob(f"{UNFINISHED}*")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_zip(path: str | os.PathLike, members: Mapping[str, bytes], comment: bytes = b"") -> None:
    """Write a .zip file that depends on `members` and `comment` alone: not on the clock or the umask."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.comment = comment
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # dated 1980, where zip's calendar begins


def _umask() -> int:
    # Asking sets it, too: two threads at once could leave it at 0.
    with _asking_umask:
        mask = os.umask(0)
        os.umask(mask)
        return mask
