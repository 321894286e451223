"""Where the time of a run goes."""

from __future__ import annotations

import time


class Clock:
    """Adds up seconds of wall time by phase: `with clock("steps") as watch: ...`, then `watch.seconds`.

    Attributes:
        seconds: of every phase so far, to the millisecond.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, phase: str) -> Watch:
        return Watch(self.seconds, phase)


class Watch:
    """One measurement: its own `seconds` once the block has ended, added to its phase's."""

    def __init__(self, phases: dict[str, float], phase: str) -> None:
        self.phases, self.phase, self.seconds = phases, phase, 0.0

    def __enter__(self) -> Watch:
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.start
        self.phases[self.phase] = round(self.phases.get(self.phase, 0.0) + self.seconds, 3)
