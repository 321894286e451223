"""`ganjax`: finds the subcommand, and turns how it ends into an exit code.

0 done; 2 a mistake of the user's, said in one line; 130 stopped by Ctrl-C; 141 nobody reads on, as after
`| head`; 1 a bug, with its traceback.
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

from ganjax.cli.parsing import choose
from ganjax.system.errors import UserError, one_line

COMMANDS = {
    "train": "run a named experiment",
    "resume": "go on with a run that was stopped, or make it longer",
    "reproduce": "train a run again and compare it, bit by bit",
    "sample": "draw samples from a finished run",
    "explore": "walk through the latent space of a run",
    "evaluate": "score a run's samples beside real ones",
    "report": "write the page about a run anew",
    "compare": "put runs side by side, as a page and as a picture",
    "data": "sets of pictures by name: list, get, remove",
    "info": "versions, devices, cache, experiments",
}

USAGE = """usage: ganjax COMMAND ...

GANs as pure functions: Keras 3 networks on JAX, reproducible from one PRNG key.

{commands}

examples:
  ganjax train cartoon              cartoon faces that nobody drew
  ganjax train original-toy         the course's two histograms, in seconds
  ganjax sample runs/cartoon-0 --n 64 --out faces.png
  ganjax resume runs/cartoon-0      after Ctrl-C or a crash; `reproduce` trains it again and compares
  ganjax evaluate runs/cartoon-0    scores beside what real faces get, shown in its report.html
  ganjax explore runs/cartoon-0 --serve
  ganjax train cartoon --help       the flags of an experiment

--debug shows the traceback of a mistake."""


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line `words` (by default the process's) and exit."""
    words = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    _prepare_streams()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it speaks at length of caches it cannot write
    try:
        with _without_tensorflow(), _with_a_home():
            try:
                code = run(words)
            except SystemExit as end:  # help ends so
                code = end.code
            sys.stdout.flush()  # here, where a pipe that nobody reads is still ours to notice
    except BrokenPipeError:
        if debug:
            raise
        _forget_output()
        code = 128 + 13  # as a program that SIGPIPE ends
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
        UserError, OSError: a mistake the user can mend.
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
    with contextlib.suppress(OSError):  # where nobody listens, the exit code has to do
        print(f"ganjax: {line}", file=sys.stderr)


def _prepare_streams() -> None:
    """Let anything be printed: a closed stream swallows it, letters that a stream cannot hold are spelt."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, open(nowhere, "w", closefd=False))  # noqa: SIM115  (as long as the process)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    # What is still buffered would be written, and complained about, when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _with_a_home() -> Iterator[None]:
    """Where there is no home folder to write to, give the libraries one that is gone at the end.

    Keras would take /tmp/.keras, where anybody may have left settings for it.
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


@contextlib.contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Hide TensorFlow, where it is installed.

    Keras imports it to ask whether a layer's setting is one of its objects, which takes a second, hundreds of
    megabytes and a page of messages.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  (how Python spells "not to be had")
    try:
        yield
    finally:
        del sys.modules["tensorflow"]


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        said = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
        return one_line(said)
    return one_line(str(error))
