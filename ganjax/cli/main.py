"""`ganjax`: runs a subcommand, and turns the way it ends into an exit code.

0: done. 1: a bug, with its traceback. 2: a mistake of the user's, reported in one line. 130: stopped by
Ctrl-C. 141: the reader of its output has closed the pipe, as `| head` does.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence

from ganjax.cli.libraries import keras_by_default
from ganjax.cli.parsing import choose
from ganjax.system.errors import UserError, one_line

COMMANDS = {
    "train": "train a named experiment",
    "resume": "continue a run that was stopped, or make it longer",
    "reproduce": "train a run again and compare the results bit by bit",
    "sample": "draw samples from a trained generator",
    "explore": "explore the latent space of a run",
    "evaluate": "score the samples of runs, beside what real ones get",
    "report": "write the report of a run again",
    "compare": "compare runs side by side, as a page and a picture",
    "data": "list, download and remove data sets of pictures",
    "info": "show versions, devices, cache folder and experiments",
}

USAGE = """usage: ganjax COMMAND ...

GANs as pure functions: Keras 3 networks on JAX, reproducible from one PRNG key.

{commands}

examples:
  ganjax train cartoon              cartoon faces, in 5 to 20 minutes on two CPU cores
  ganjax train original-toy         the 1-D example of the original course's notebook, in seconds
  ganjax sample runs/cartoon-0 --n 64 --out faces.png
  ganjax resume runs/cartoon-0      continue after Ctrl-C or a crash
  ganjax reproduce runs/cartoon-0   train it again and compare
  ganjax evaluate runs/cartoon-0    scores beside what real faces get, also in its report.html
  ganjax explore runs/cartoon-0 --serve
  ganjax train cartoon --help       the flags of an experiment

--debug shows tracebacks of errors that are otherwise reported in one line."""


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line `words` (by default the process's) and exit."""
    words = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    _prepare_streams()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # no warnings about a read-only cache
    try:
        with keras_by_default(), _with_a_home():
            try:
                code = run(words)
            except SystemExit as end:  # after help
                code = end.code
            sys.stdout.flush()  # now, so that a closed pipe is noticed here
    except BrokenPipeError:
        if debug:
            raise
        _forget_output()
        code = 128 + 13  # like a program that SIGPIPE ends
    except (UserError, OSError) as error:
        if debug:
            raise
        _say(_one_line(error))
        code = 2
    except KeyboardInterrupt:
        _say("stopped")
        code = 130
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run one command line; returns its exit code.

    Raises:
        UserError, OSError: a mistake that the user can correct.
    """
    if not words or words[0] in ("-h", "--help"):
        commands = "\n".join(f"  {name:<10} {what}" for name, what in COMMANDS.items())
        print(USAGE.format(commands=commands))
        return 0 if words else 2
    if words[0] == "--version":
        from ganjax import __version__

        print(f"ganjax {__version__}")
        return 0
    command = choose(words[0], COMMANDS, "command")
    module, function = ("report", "run_comparison") if command == "compare" else (command, "run")
    return getattr(importlib.import_module(f"ganjax.cli.{module}"), function)(words[1:])


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # standard error is closed: the exit code must be enough
        print(f"ganjax: {line}", file=sys.stderr)


def _prepare_streams() -> None:
    """Make all printing possible: discard output to closed streams, escape what an encoding lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, open(nowhere, "w", closefd=False))  # noqa: SIM115  (as long as the process)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    # Otherwise Python would write the rest of its buffer at exit, and print an error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _with_a_home() -> Iterator[None]:
    """If the user has no writable home folder, use a temporary one.

    Keras would use /tmp/.keras instead, where another user may have left settings.
    """
    home = os.path.expanduser("~")
    if os.path.isdir(home) and os.access(home, os.W_OK):
        yield
        return
    before = os.environ.get("HOME")
    with tempfile.TemporaryDirectory(prefix="ganjax-home-") as os.environ["HOME"]:
        try:
            yield
        finally:
            del os.environ["HOME"]
            if before is not None:
                os.environ["HOME"] = before


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        said = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
        return one_line(said)
    return one_line(str(error))
