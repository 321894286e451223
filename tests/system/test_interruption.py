"""The first Ctrl-C asks to stop, the second stops; afterwards the previous handlers are back."""

import signal
import threading

import pytest

from ganjax.system.interruption import Interruption


def test_the_first_signal_asks_and_the_second_raises(capsys):
    with Interruption(quiet=False) as interruption:
        assert not interruption.asked
        signal.raise_signal(signal.SIGINT)
        assert interruption.asked
        assert "Ctrl-C again" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_quiet_prints_nothing(capsys):
    with Interruption(quiet=True) as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.asked
    assert capsys.readouterr().err == ""


def test_the_previous_handler_is_restored():
    before = signal.getsignal(signal.SIGINT)
    with Interruption(quiet=True):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_the_first_signal_is_recorded():
    with Interruption(quiet=True) as interruption:
        assert interruption.asked == 0
        signal.raise_signal(signal.SIGTERM)
        assert interruption.asked == signal.SIGTERM


class Leave:
    """Used in place of `os._exit`: records the exit code."""

    def __init__(self):
        self.codes, self.called = [], threading.Event()

    def __call__(self, code):
        self.codes.append(code)
        self.called.set()


def test_the_second_signal_ends_the_process_from_another_thread():
    leave = Leave()
    with Interruption(quiet=True, leave=leave):
        signal.raise_signal(signal.SIGINT)
        assert not leave.called.wait(0.2)
        signal.raise_signal(signal.SIGTERM)
        assert leave.called.wait(30)
    assert leave.codes == [143]


def test_with_nothing_to_lose_the_first_signal_ends_the_process():
    leave = Leave()
    with Interruption(quiet=True, leave=leave) as interruption:
        interruption.nothing_to_lose = True
        signal.raise_signal(signal.SIGINT)
        assert leave.called.wait(30)
    assert leave.codes == [130]


def test_afterwards_signals_are_handled_as_before():
    leave = Leave()
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


def test_a_signal_is_handled_if_standard_error_is_closed(monkeypatch):
    """As with `ganjax train 2>&1 | tee log`, where Ctrl-C ends both processes."""
    monkeypatch.setattr("sys.stderr", ClosedPipe())
    with Interruption(quiet=False) as interruption:
        signal.raise_signal(signal.SIGINT)
    assert interruption.asked == signal.SIGINT
