"""Ctrl-C: a run stops where it can be saved, and at once when asked twice."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Interruption:
    """A context in which the first Ctrl-C only sets `asked`, and the second raises KeyboardInterrupt.

    Outside the main thread, which alone receives signals, it changes nothing.

    Attributes:
        asked: whether Ctrl-C was pressed.
        quiet: say nothing about it.
    """

    def __init__(self, quiet: bool) -> None:
        self.asked, self.quiet = False, quiet

    def __enter__(self) -> Interruption:
        self.before: Callable[[int, FrameType | None], Any] | int | None = None
        if threading.current_thread() is threading.main_thread():  # signals reach no other
            self.before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        if not self.quiet:
            # Where the signal came in the middle of another print, Python refuses this one.
            with contextlib.suppress(RuntimeError):
                print("\nstopping after this chunk; Ctrl-C again stops at once", file=sys.stderr)
