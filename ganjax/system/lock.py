"""A lock on a run folder: only one process at a time may train in it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import IO

from ganjax.system.errors import UserError, naming


class Lock:
    """A context in which this process holds a run folder.

    The operating system releases the lock when the process ends in any way, so a dead process blocks nobody.
    Systems without `flock` (Windows) have no lock.

    Raises (on entering):
        UserError: another process holds the folder; the message names it.
        OSError: the folder cannot be written.
    """

    NAME = ".lock"

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / self.NAME

    def __enter__(self) -> Lock:
        self.file = self.path.open("ab+", buffering=0)
        try:
            _take(self.file)
        except BlockingIOError:
            self.file.seek(0)
            owner = self.file.read().decode(errors="replace").strip() or "another process"
            self.file.close()
            raise UserError(
                f"{self.folder} is in use by {owner}: wait for it, or choose another --out"
            ) from None
        try:
            self._write(f"process {os.getpid()} on {platform.node()}\n")
        except OSError:
            self.file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._write("")
        self.file.close()

    def _write(self, text: str) -> None:
        with naming(self.path):
            self.file.truncate(0)
            self.file.write(text.encode())


def _take(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
