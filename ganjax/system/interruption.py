"""Ctrl-C and SIGTERM: the first lets a run stop at its next checkpoint, the second stops it at once."""

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
    """A context in which the first Ctrl-C or SIGTERM only sets `asked`, and the second ends the process.

    Outside the main thread, which is the only one that receives signals, it does nothing.

    Args:
        quiet: print nothing at the first signal.
        leave: ends the program at once, given its exit code (128 + signal number): `os._exit`. It is called
            from another thread, since the main thread may be in a long compilation, during which Python calls
            no signal handler; if `nothing_to_lose` is set, it is called at the first signal. Without `leave`,
            as in a notebook, the second signal raises KeyboardInterrupt in the main thread.

    Attributes:
        asked: number of the first signal, or 0.
        nothing_to_lose: whether everything done so far has been saved.
    """

    def __init__(self, quiet: bool, leave: Callable[[int], None] | None = None) -> None:
        self.quiet, self.leave = quiet, leave
        self.asked, self.nothing_to_lose = 0, False

    def __enter__(self) -> Interruption:
        self.before: dict[int, Handler] = {}
        if threading.current_thread() is threading.main_thread():  # no other thread gets signals
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
        # Python writes the number of a signal here at once, but calls its handler only in the main thread.
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
