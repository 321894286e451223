"""Ctrl-C and SIGTERM: a run stops where it can be saved, and at once when asked twice."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from ganjax.system.progress import tell

SIGNALS = (signal.SIGINT, signal.SIGTERM)

Handler = Callable[[int, FrameType | None], Any] | int | None


class Interruption:
    """A context in which the first Ctrl-C or SIGTERM only sets `asked`, and the second leaves.

    Outside the main thread, which alone receives signals, it changes nothing.

    Args:
        quiet: say nothing about it.
        leave: how a program leaves at once, given its exit code (128 and the signal): `os._exit`. It is
            called from another thread, since the main one may be deep within a compiler that hears no signal;
            and after the first signal already where `nothing_to_lose`. Without it, as in a notebook, the
            second signal raises KeyboardInterrupt when the main thread comes back to Python.

    Attributes:
        asked: the signal that came first, or 0.
        nothing_to_lose: whether all that was done so far is safe.
    """

    def __init__(self, quiet: bool, leave: Callable[[int], None] | None = None) -> None:
        self.quiet, self.leave = quiet, leave
        self.asked, self.nothing_to_lose = 0, False

    def __enter__(self) -> Interruption:
        self.before: dict[int, Handler] = {}
        if threading.current_thread() is threading.main_thread():  # signals reach no other
            self.before = {number: signal.signal(number, self._ask) for number in SIGNALS}
            if self.leave:
                self._watch()
        return self

    def __exit__(self, *_: object) -> None:
        if self.before and self.leave:
            signal.set_wakeup_fd(self.wakeup_before)
            os.close(self.written)  # which ends the watcher
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and not self.leave:
            raise KeyboardInterrupt
        if not self.asked and not self.quiet:
            tell("\nstopping after this chunk; Ctrl-C again stops at once")
        self.asked = self.asked or number

    def _watch(self) -> None:
        # Python writes a signal's number here at once, and calls its handler when the main thread has time.
        read, self.written = os.pipe()
        os.set_blocking(self.written, False)
        self.wakeup_before = signal.set_wakeup_fd(self.written, warn_on_full_buffer=False)
        threading.Thread(target=self._leave_when_asked, args=(read,), daemon=True).start()

    def _leave_when_asked(self, read: int) -> None:
        count = 0
        with os.fdopen(read, "rb", buffering=0) as numbers:
            while number := numbers.read(1):
                if number[0] in SIGNALS and self.leave:
                    count += 1
                    if count > 1 or self.nothing_to_lose:
                        self.leave(128 + number[0])
