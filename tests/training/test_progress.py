"""A bar in a terminal, plain lines elsewhere, nothing when quiet."""

import contextlib
import os
import pty
import termios

from ganjax.training import progress
from ganjax.training.progress import Progress

LOSSES = {"generator_loss": 0.25, "discriminator_loss": 1.5}


@contextlib.contextmanager
def terminal():
    """Standard error in a terminal of its own; yields a function that reads what was written there."""
    ours, its = pty.openpty()
    os.set_blocking(ours, False)
    termios.tcsetwinsize(its, (24, 80))

    def written():
        stream.flush()
        with contextlib.suppress(BlockingIOError):
            return os.read(ours, 100_000).decode()
        return ""

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
        assert part in bars[-2]  # behind the last one is the end of its line


def test_elsewhere_the_last_line_is_always_written(capsys):
    advance_to_the_end(quiet=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("step 10/10 ")
    assert err.endswith("steps/s  G 0.250  D 1.500\n")


def test_elsewhere_lines_come_at_their_rhythm(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    advance_to_the_end(quiet=False)
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["5/10", "10/10"]


def test_quiet_is_quiet_in_a_terminal():
    with terminal() as written:
        advance_to_the_end(quiet=True)
        assert written() == ""


def test_quiet_is_quiet_elsewhere(capsys):
    advance_to_the_end(quiet=True)
    assert capsys.readouterr() == ("", "")
