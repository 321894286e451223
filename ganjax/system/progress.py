"""What a run shows while it trains (a bar in a terminal, plain lines elsewhere), and where its time goes."""

from __future__ import annotations

import contextlib
import sys
import time

from tqdm import tqdm

LINE_SECONDS = 10.0  # between two plain lines


def tell(text: str) -> None:
    """Print `text` to standard error; if it is closed, do nothing: a run must not stop for that."""
    # RuntimeError: Python does not allow printing in a signal handler that has interrupted another print.
    with contextlib.suppress(OSError, RuntimeError):
        print(text, file=sys.stderr, flush=True)


class Progress:
    """A context that shows steps, steps per second and both losses on standard error.

    Args:
        steps: of the whole run.
        quiet: show nothing.
        done: steps that an earlier process has done.
    """

    def __init__(self, steps: int, quiet: bool, done: int = 0) -> None:
        self.steps, self.quiet, self.done, self.step = steps, quiet, done, done
        self.in_terminal = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        disable = self.quiet or not self.in_terminal
        self.bar = tqdm(total=self.steps, initial=self.done, unit=" steps", disable=disable)
        self.start = self.last_line = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def advance(self, count: int, metrics: dict[str, float]) -> None:
        """Report that `count` more steps are done; `metrics` are those of the last one."""
        self.step += count
        try:
            self._show(count, f"G {metrics['generator_loss']:.3f}  D {metrics['discriminator_loss']:.3f}")
        except OSError:  # the terminal or pipe was closed: go on without output
            self.quiet = self.bar.disable = True

    def _show(self, count: int, losses: str) -> None:
        self.bar.set_postfix_str(losses, refresh=False)
        self.bar.update(count)
        now = time.monotonic()
        due = now - self.last_line > LINE_SECONDS or self.step == self.steps
        if due and not self.quiet and not self.in_terminal:
            self.last_line = now
            speed = (self.step - self.done) / (now - self.start)
            tell(f"step {self.step}/{self.steps}  {speed:.3g} steps/s  {losses}")


class Clock:
    """Adds up wall time by phase: `with clock("steps") as watch: ...`, then `watch.seconds`.

    Attributes:
        seconds: total of each phase so far, rounded to milliseconds.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, phase: str) -> Watch:
        return Watch(self.seconds, phase)


class Watch:
    """One measurement: after the block, `seconds` is its duration, which is also added to its phase."""

    def __init__(self, phases: dict[str, float], phase: str) -> None:
        self.phases, self.phase, self.seconds = phases, phase, 0.0

    def __enter__(self) -> Watch:
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.start
        self.phases[self.phase] = round(self.phases.get(self.phase, 0.0) + self.seconds, 3)
