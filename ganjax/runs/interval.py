"""How often something is done: every N seconds, or every N steps."""

from __future__ import annotations

import dataclasses
import re
import time

from ganjax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Interval:
    """Every `seconds` or every `steps`; the other one of the two is 0."""

    seconds: int = 0
    steps: int = 0

    @classmethod
    def parse(cls, text: str) -> Interval:
        """`"60s"` or `"500steps"`.

        Raises:
            UserError: `text` is neither.
        """
        match = re.fullmatch(r"([1-9][0-9]{0,8}) ?(s|steps)", text, re.ASCII)
        if not match:
            raise UserError(
                f"--checkpoint-every {text!r} must be seconds, as in 60s, or steps, as in 500steps"
            )
        number, unit = int(match[1]), match[2]
        return cls(seconds=number) if unit == "s" else cls(steps=number)


class IntervalTimer:
    """Says when an `Interval` has passed. Seconds are measured by the monotonic clock, which is never set."""

    def __init__(self, interval: Interval) -> None:
        self.interval, self.last = interval, time.monotonic()

    def due(self, step: int) -> bool:
        """Whether the interval has passed at `step`; if so, the seconds start again."""
        if self.interval.steps:
            return step % self.interval.steps == 0
        now = time.monotonic()
        if now - self.last < self.interval.seconds:
            return False
        self.last = now
        return True
