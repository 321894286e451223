"""Mistakes that a user can put right, each said in one line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

UNFINISHED = ".writing-"  # how the names of temporary files and folders begin


class UserError(Exception):
    """Something the user asked for cannot be done: the message says what is wrong and what to do.

    The message is one line, whatever names and values it quotes from files. The command line prints it
    without a traceback and exits with code 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class DamagedError(UserError):
    """A file is not what was written."""


def one_line(text: str) -> str:
    """`text` with every run of white space as one space, and what moves a terminal's cursor spelt out."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


@contextlib.contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
    """Make an OSError name `path` where it names no file (a full disk) or a temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and (not error.filename or UNFINISHED in str(error.filename)):
            error.filename = os.fspath(path)
        raise


@contextlib.contextmanager
def writing(out: Path) -> Iterator[None]:
    """A block that writes to `out`.

    Raises:
        UserError: something in the block could not be written (a file where a folder is wanted, a full disk).
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write to {out}: {reason}; choose another --out") from error
