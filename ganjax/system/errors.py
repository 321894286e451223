"""Errors that a user can cause and correct, each reported in one line, and what helps to word them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

UNFINISHED = ".writing-"  # prefix of the names of temporary files and folders


class UserError(Exception):
    """The user asked for something that cannot be done: the message says what is wrong and what to do.

    The message is always one line, even if it quotes text from files. The command line prints it without a
    traceback and exits with code 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class DamagedError(UserError):
    """A file is damaged: its content is not what ganjax wrote."""


def one_line(text: str) -> str:
    """`text` with each run of white space replaced by one space, and unprintable characters escaped."""
    line = " ".join(text.split())
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Make an OSError of the block name `path` if it names no file (a full disk) or a temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and (not error.filename or UNFINISHED in str(error.filename)):
            error.filename = os.fspath(path)
        raise


@contextlib.contextmanager
def writing(out: Path) -> Iterator[None]:
    """A block that writes to `out`, the value of a command's `--out`.

    Raises:
        UserError: the block raised an OSError (a full disk, a file where a folder is needed).
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write to {out}: {reason}; choose another --out") from error
