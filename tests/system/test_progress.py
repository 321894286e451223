"""A bar in a terminal, plain lines elsewhere, nothing when quiet; and the clock that adds up times."""

import contextlib
import io
import os
import pty
import select
import sys
import termios
import time

import pytest

from ganjax.system import progress
from ganjax.system.progress import Clock, Progress

LOSSES = {"generator_loss": 0.25, "discriminator_loss": 1.5}
END = "\0"


@contextlib.contextmanager
def terminal(columns=80):
    """Standard error in a terminal of its own; yields a function that reads what was written there."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, columns))

    def written():
        """All of it: a terminal passes it on in pieces, so wait for a last character of our own."""
        print(end=END, file=stream, flush=True)
        read = b""
        while not read.endswith(END.encode()):
            assert select.select([ours], [], [], 60)[0], read
            read += os.read(ours, 100_000)
        return read.decode().removesuffix(END)

    with os.fdopen(its, "w") as stream, contextlib.redirect_stderr(stream):
        yield written
    os.close(ours)


def advance_to_the_end(quiet):
    with Progress(10, quiet) as shown:
        for _ in range(2):
            shown.advance(5, LOSSES)


def test_a_terminal_sees_a_bar_with_step_speed_and_losses():
    with terminal() as written:
        advance_to_the_end(quiet=False)
        bars = written().split("\r")
    assert "0/10" in bars[1]
    for part in ("10/10", "steps/s", "G 0.250", "D 1.500"):
        assert part in bars[-2]


def test_elsewhere_the_last_line_is_always_written(capsys):
    advance_to_the_end(quiet=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("step 10/10 ")
    assert err.endswith("steps/s  G 0.250  D 1.500\n")


def test_elsewhere_a_line_comes_after_each_interval(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    advance_to_the_end(quiet=False)
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["5/10", "10/10"]


def test_quiet_prints_nothing_in_a_terminal():
    with terminal() as written:
        advance_to_the_end(quiet=True)
        assert written() == ""


def test_quiet_prints_nothing_elsewhere(capsys):
    advance_to_the_end(quiet=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("columns", [20, 40])
def test_the_bar_stays_on_one_line_of_a_narrow_terminal(columns):
    with terminal(columns) as written:
        advance_to_the_end(quiet=False)
        bars = written().strip().split("\r")
    assert bars[-1].startswith("100%")
    assert all(len(bar) < columns for bar in bars)


@pytest.mark.parametrize("in_terminal", [True, False])
def test_a_run_goes_on_when_standard_error_is_closed(monkeypatch, in_terminal):
    class ClosedStream(io.StringIO):
        closed_by_reader = False

        def isatty(self):
            return in_terminal

        def write(self, text):
            if self.closed_by_reader:
                raise BrokenPipeError(32, "Broken pipe")
            return super().write(text)

    stream = ClosedStream()
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(10, quiet=False) as shown:
        shown.advance(2, LOSSES)
        before = stream.getvalue()
        stream.closed_by_reader = True
        time.sleep(0.2)  # the bar is not painted more often than every 0.1 s
        for _ in range(4):
            shown.advance(2, LOSSES)
        stream.closed_by_reader = False
    assert before
    assert stream.getvalue() == before
    assert shown.step == 10


@pytest.fixture
def ticks(monkeypatch):
    """The times that the clock reads, one after another."""
    instants = iter([10.0, 10.5, 20.0, 22.0, 30.0, 30.25])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(instants))


def test_phases_add_up_and_a_watch_has_its_own_seconds(ticks):
    clock = Clock()
    with clock("steps") as first:
        pass
    with clock("steps") as second:
        pass
    with clock("pictures"):
        pass
    assert (first.seconds, second.seconds) == (0.5, 2.0)
    assert clock.seconds == {"steps": 2.5, "pictures": 0.25}


def test_time_is_counted_if_the_block_raises(ticks):
    clock = Clock()
    with pytest.raises(RuntimeError), clock("steps"):
        raise RuntimeError
    assert clock.seconds == {"steps": 0.5}
