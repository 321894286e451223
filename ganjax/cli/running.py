"""Shared by `train`, `resume` and `reproduce`: set up the process, train, and report how it ended."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from ganjax.cli.libraries import start_jax
from ganjax.experiments.ranges import Range, check_settings
from ganjax.system.errors import UserError

if TYPE_CHECKING:
    from ganjax.training import CheckpointPolicy, Outcome, RunFolder


MOST_THREADS = 1024  # that a manifest can ask for


@dataclasses.dataclass(frozen=True)
class Process:
    """Checkpoints, output, and what the process does for speed."""

    checkpoint_every: str = "60s"
    """How often to save a checkpoint, in seconds (60s) or steps (500steps)."""
    keep: Annotated[int, Range(1, 1_000_000)] = 2
    """How many of the latest checkpoints to keep until the run is finished."""
    quiet: bool = False
    """Show no progress."""
    stock_allocator: bool = False
    """Do not change glibc's malloc; by default it keeps the memory that one step has freed for the next."""
    no_compilation_cache: bool = False
    """Do not store compiled programs in the user's cache folder, or read them from there."""

    def __post_init__(self) -> None:
        check_settings(self)

    def check(self) -> CheckpointPolicy:
        """The policy for checkpoints.

        Raises:
            UserError: `checkpoint_every` is not valid.
        """
        from ganjax.runs.checkpointer import CheckpointPolicy
        from ganjax.runs.interval import Interval

        return CheckpointPolicy(Interval.parse(self.checkpoint_every), self.keep)

    def prepare(self, experiment: Any, *, deterministic: bool, threads: Any = None) -> None:
        """Set up this process for `experiment`, before JAX starts.

        Args:
            experiment: what will be trained.
            deterministic: ask XLA for deterministic kernels.
            threads: from a manifest: how many threads to use; ignored if it is not a valid number.

        Raises:
            UserError: JAX does not start, or networks cannot be built with the experiment's settings.
        """
        from ganjax.system.process import compute_with, keep_freed_memory, make_deterministic

        if deterministic:
            make_deterministic()
        if isinstance(threads, int) and 1 <= threads <= MOST_THREADS:
            compute_with(threads)

        if not self.stock_allocator:
            keep_freed_memory(one_arena=experiment.large_temporaries)
        start_jax(cache=not self.no_compilation_cache)

        from ganjax import stateless

        try:
            # Before anything is written: can the networks be built with these settings?
            stateless.without_values(lambda: experiment.gan)
        except ValueError as error:
            raise UserError(str(error)) from error


def prepare_like(manifest: Mapping[str, Any], experiment: Any, process: Process) -> None:
    """Set up this process like the one that wrote `manifest`: same threads, same kind of kernels."""
    environment = manifest.get("environment")
    its = environment if isinstance(environment, Mapping) else {}
    process.prepare(experiment, deterministic=its.get("deterministic") is True, threads=its.get("threads"))


@contextmanager
def machine_errors_in_one_line(experiment: Any, again: str | None) -> Iterator[None]:
    """Report errors that the machine causes during a run in one line.

    Args:
        experiment: what is trained.
        again: the command that continues the run, in words; None if the run cannot be continued.

    Raises:
        UserError: there is not enough memory or disk space, or a file cannot be written.
    """
    from jax.errors import JaxRuntimeError

    settings = [name for name in ("batch", "size", "width") if hasattr(experiment, name)]
    advice = " or ".join(f"--{name} (now {getattr(experiment, name)})" for name in settings)
    try:
        yield
    except (JaxRuntimeError, MemoryError) as error:
        if isinstance(error, JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise UserError(f"there is not enough memory for this run: choose a smaller {advice}") from error
    except OSError as error:
        if again is None or isinstance(error, BrokenPipeError):
            raise
        reason = f"{error.strerror or error}: {error.filename}" if error.filename else error.strerror or error
        raise UserError(f"{reason}; earlier checkpoints are safe: correct this, then use {again}") from error


def run_to_its_end(
    experiment: Any,
    folder: RunFolder,
    process: Process,
    *,
    steps: int | None = None,
    resume: bool = False,
) -> int:
    """Call `fit` and report how it ended; returns the exit code."""
    from ganjax import training

    checkpoint_policy = process.check()
    with machine_errors_in_one_line(experiment, f"`ganjax resume {folder.path}`"):
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
        _report_end(outcome, folder, steps or experiment.steps)
    return 128 + outcome.stopped_by if outcome.stopped_by else 0


def _report_end(outcome: Outcome, folder: RunFolder, last: int) -> None:
    from ganjax.system.progress import tell

    lines = []
    if outcome.scores:
        lines.append("  ".join(f"{score} {value:.4g}" for score, value in outcome.scores.items()))
    if outcome.stopped_by != signal.SIGTERM:
        lines.append(f"{folder.path}: see report.html, samples/final.png and film.gif")
    if outcome.stopped_by:
        lines.append(
            f"stopped at step {outcome.step} of {last}; everything is saved: `ganjax resume {folder.path}` "
            f"continues the run, `ganjax sample {folder.path}` draws from it"
        )
    tell("\n".join(lines))
