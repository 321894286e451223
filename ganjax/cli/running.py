"""What `train` and `resume` share: how the process is prepared, and how a run's end is said."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from ganjax.experiments.ranges import Range, check_settings
from ganjax.system.errors import UserError

if TYPE_CHECKING:
    from ganjax.training import CheckpointPolicy, Outcome, RunFolder


MOST_THREADS = 1024  # that a manifest can ask for


@dataclasses.dataclass(frozen=True)
class Process:
    """How the run is kept, and what the process does for speed."""

    checkpoint_every: str = "60s"
    """How often the whole state is saved on the way: so many seconds (60s) or steps (500steps)."""
    keep: Annotated[int, Range(1, 1_000_000)] = 2
    """How many of the last checkpoints stay until the run is finished."""
    quiet: bool = False
    """Show no progress."""
    stock_allocator: bool = False
    """Leave glibc's malloc as it is, in place of letting it keep the memory a step has freed for the next."""
    no_compilation_cache: bool = False
    """Compile everything anew, in place of keeping compiled programs in the user's cache folder."""

    def __post_init__(self) -> None:
        check_settings(self)

    def check(self) -> CheckpointPolicy:
        """How checkpoints are kept.

        Raises:
            UserError: `checkpoint_every` is no rhythm.
        """
        from ganjax.runs.checkpointer import CheckpointPolicy
        from ganjax.runs.interval import Interval

        return CheckpointPolicy(Interval.parse(self.checkpoint_every), self.keep)

    def prepare(self, experiment: Any, *, deterministic: bool, threads: Any = None) -> None:
        """Set up this process for `experiment`, before JAX starts; with so many `threads`, if it is a number.

        Raises:
            UserError: the experiment's networks refuse its settings.
        """
        from ganjax.system.process import compute_with, make_deterministic

        if deterministic:
            make_deterministic()
        if isinstance(threads, int) and 1 <= threads <= MOST_THREADS:
            compute_with(threads)

        from ganjax import stateless
        from ganjax.system.compilation_cache import keep_compilations
        from ganjax.system.process import keep_freed_memory

        if not self.stock_allocator:
            keep_freed_memory(one_arena=experiment.large_temporaries)
        if not self.no_compilation_cache:
            keep_compilations()
        try:
            # What its networks refuse is known before anything is written.
            stateless.without_values(lambda: experiment.gan)
        except ValueError as error:
            raise UserError(str(error)) from error


def prepare_like(manifest: Mapping[str, Any], experiment: Any, process: Process) -> None:
    """Set up this process as the one was that a manifest speaks of: its threads, its kind of kernels."""
    environment = manifest.get("environment")
    its = environment if isinstance(environment, Mapping) else {}
    process.prepare(experiment, deterministic=its.get("deterministic") is True, threads=its.get("threads"))


@contextmanager
def said_in_one_line(experiment: Any, again: str | None) -> Iterator[None]:
    """Turn what can befall a run into one line.

    Args:
        experiment: what is trained.
        again: what goes on with it, in words; None where there is nothing to go on with.

    Raises:
        UserError: there is not enough memory or disk, or a file cannot be written.
    """
    from jax.errors import JaxRuntimeError

    settings = [name for name in ("batch", "size", "width") if hasattr(experiment, name)]
    advice = " or ".join(f"--{name} (now {getattr(experiment, name)})" for name in settings)
    try:
        yield
    except (JaxRuntimeError, MemoryError) as error:
        if isinstance(error, JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise UserError(f"there is not enough memory for this run: give a smaller {advice}") from error
    except OSError as error:
        if again is None or isinstance(error, BrokenPipeError):
            raise
        reason = f"{error.strerror or error}: {error.filename}" if error.filename else error.strerror or error
        raise UserError(f"{reason}; what was saved before is safe: mend that, then {again}") from error


def run_to_its_end(
    experiment: Any,
    folder: RunFolder,
    process: Process,
    *,
    steps: int | None = None,
    resume: bool = False,
) -> int:
    """`fit`, and what there is to see afterwards; returns the exit code."""
    from ganjax import training

    checkpoint_policy = process.check()
    with said_in_one_line(experiment, f"`ganjax resume {folder.path}`"):
        outcome = training.fit(
            experiment,
            folder,
            steps=steps,
            resume=resume,
            checkpoint_policy=checkpoint_policy,
            quiet=process.quiet,
            leave=os._exit,
        )
    if not process.quiet:
        _say_how_it_ended(outcome, folder, steps or experiment.steps)
    return 128 + outcome.stopped_by if outcome.stopped_by else 0


def _say_how_it_ended(outcome: Outcome, folder: RunFolder, last: int) -> None:
    from ganjax.system.progress import tell

    lines = []
    if outcome.scores:
        lines.append("  ".join(f"{score} {value:.4g}" for score, value in outcome.scores.items()))
    if outcome.stopped_by != signal.SIGTERM:
        lines.append(f"{folder.path}: look at report.html, samples/final.png and film.gif")
    if outcome.stopped_by:
        lines.append(
            f"stopped at step {outcome.step} of {last}; all is saved: `ganjax resume {folder.path}` goes on, "
            f"`ganjax sample {folder.path}` draws from it"
        )
    tell("\n".join(lines))
