"""Feeds inputs to one target, which must return or raise a UserError of one line."""

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st

from ganjax.system.errors import UserError

SECONDS = 30  # of processor time for one input, which takes milliseconds


@dataclass(frozen=True)
class Link:
    """A symbolic link in place of a file."""

    target: bytes


Files = Mapping[bytes, bytes | Link]


@dataclass(frozen=True)
class Target:
    """A function that reads files, and a strategy for these files.

    Attributes:
        name: its name on the command line.
        inputs: gives the strategy for the files, by their paths.
        read: called with the folder of the files and another folder that it may write to, both new for each
            input. Returns if the files are valid, raises UserError if not.
    """

    name: str
    inputs: Callable[[], st.SearchStrategy[Files]]
    read: Callable[[Path, Path], Any]


@dataclass
class Tally:
    """How many inputs were read and how many refused."""

    values: int = 0
    refusals: int = 0


class Stuck(BaseException):
    """An input took too long. Not an Exception, since readers catch those."""


def explore(target: Target, work: Path, seed: int, inputs: int, tally: Tally) -> None:
    """Read `inputs` inputs, which depend only on `seed`, and count them in `tally`.

    The last one stays in `work / "input"`: after an exception, the smallest that causes it.

    Raises:
        Exception, Stuck: whatever the reader raised that is not allowed.
    """

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @hypothesis.given(target.inputs())
    def one(files):
        try:
            _lay(files, work / "input")
        except OSError:  # a file where a folder is needed, or a name that the system refuses
            hypothesis.reject()
        if read(target, work):
            tally.values += 1
        else:
            tally.refusals += 1

    one()


def read(target: Target, work: Path) -> bool:
    """Read what is in `work / "input"`; returns True if it was read, False if it was refused."""
    shutil.rmtree(work / "scratch", ignore_errors=True)
    (work / "scratch").mkdir()
    try:
        with _soon():
            target.read(work / "input", work / "scratch")
    except UserError as error:
        if len(str(error).splitlines()) != 1:
            raise AssertionError(f"a message of more than one line: {str(error)!r}") from error
        return False
    return True


def _lay(files: Files, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(os.fsdecode(content.target))
        else:
            path.write_bytes(content)


@contextlib.contextmanager
def _soon():
    """Raise Stuck in a block that takes more than SECONDS of processor time."""

    def give_up(*_):
        raise Stuck(f"{SECONDS} seconds were not enough")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
