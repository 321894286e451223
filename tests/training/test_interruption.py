"""Ctrl-C asks once, then insists; and whoever handled it before handles it again."""

import signal
import threading

import pytest

from ganjax.training.interruption import Interruption


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


def test_outside_the_main_thread_nothing_changes():
    seen = []

    def enter():
        with Interruption(quiet=True):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
