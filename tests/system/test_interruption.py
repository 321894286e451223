"""Ctrl-C asks once, then insists; and whoever handled it before handles it again."""

import signal
import threading

import pytest

from ganjax.system.interruption import Interruption


def test_the_first_asks_and_the_second_insists(capsys):
    with Interruption(quiet=False) as interruption:
        assert not interruption.asked
        signal.raise_signal(signal.SIGINT)
        assert interruption.asked
        assert "Ctrl-C again" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_quiet_says_nothing(capsys):
    with Interruption(quiet=True) as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.asked
    assert capsys.readouterr().err == ""


def test_the_handler_before_comes_back():
    before = signal.getsignal(signal.SIGINT)
    with Interruption(quiet=True):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_which_signal_came_first_is_known():
    with Interruption(quiet=True) as interruption:
        assert interruption.asked == 0
        signal.raise_signal(signal.SIGTERM)
        assert interruption.asked == signal.SIGTERM


class Left:
    """Stands in for `os._exit`: notes the exit code."""

    def __init__(self):
        self.codes, self.called = [], threading.Event()

    def __call__(self, code):
        self.codes.append(code)
        self.called.set()


def test_a_program_leaves_at_the_second_signal_without_its_main_thread():
    leave = Left()
    with Interruption(quiet=True, leave=leave):
        signal.raise_signal(signal.SIGINT)
        assert not leave.called.wait(0.2)
        signal.raise_signal(signal.SIGTERM)
        assert leave.called.wait(30)
    assert leave.codes == [143]


def test_with_nothing_to_lose_it_leaves_at_the_first():
    leave = Left()
    with Interruption(quiet=True, leave=leave) as interruption:
        interruption.nothing_to_lose = True
        signal.raise_signal(signal.SIGINT)
        assert leave.called.wait(30)
    assert leave.codes == [130]


def test_afterwards_nobody_watches():
    leave = Left()
    with Interruption(quiet=True, leave=leave):
        pass
    assert signal.set_wakeup_fd(-1) == -1
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert leave.codes == []


def test_outside_the_main_thread_nothing_changes():
    seen = []

    def enter():
        with Interruption(quiet=True):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


class ClosedPipe:
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    flush = None


def test_where_nobody_reads_any_more_it_is_heard_all_the_same(monkeypatch):
    """As `ganjax train | tee log` has it, where Ctrl-C ends both."""
    monkeypatch.setattr("sys.stderr", ClosedPipe())
    with Interruption(quiet=False) as interruption:
        signal.raise_signal(signal.SIGINT)
    assert interruption.asked == signal.SIGINT
