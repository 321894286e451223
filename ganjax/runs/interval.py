"""How often something is done: every so many seconds, or every so many steps."""

from __future__ import annotations

import dataclasses
import re
import time

from ganjax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Interval:
    """Every `seconds`, or every `steps`: one of the two is given, the other is 0."""

    seconds: int = 0
    steps: int = 0

    @classmethod
    def parse(cls, text: str) -> Interval:
        """`"60s"` or `"500steps"`.

        Raises:
            UserError: it is neither.
        """
        found = re.fullmatch(r"([1-9][0-9]{0,8}) ?(s|steps)", text, re.ASCII)
        if not found:
            raise UserError(f"--checkpoint-every {text!r} is neither seconds (60s) nor steps (500steps)")
        number, unit = int(found[1]), found[2]
        return cls(seconds=number) if unit == "s" else cls(steps=number)


class IntervalTimer:
    """Whether it is time again. Seconds are the monotonic clock's, which nobody sets."""

    def __init__(self, interval: Interval) -> None:
        self.interval, self.last = interval, time.monotonic()

    def due(self, step: int) -> bool:
        """Whether it is time at `step`; if so, seconds count anew."""
        if self.interval.steps:
            return step % self.interval.steps == 0
        now = time.monotonic()
        if now - self.last < self.interval.seconds:
            return False
        self.last = now
        return True
