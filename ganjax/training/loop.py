"""fit: run an experiment from its first step, or from its latest checkpoint, to its last step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence

import jax
import numpy as np

from ganjax.runs.checkpointer import CheckpointPolicy
from ganjax.runs.interval import IntervalTimer
from ganjax.runs.resuming import resume_from
from ganjax.runs.run_folder import RunFolder
from ganjax.state import GANState, init_state
from ganjax.system.errors import UserError
from ganjax.system.files import remove_unfinished
from ganjax.system.interruption import Interruption
from ganjax.system.keras_settings import settings_for
from ganjax.system.lock import Lock
from ganjax.system.progress import Clock, Progress, tell
from ganjax.training.chunked_run import ChunkPlan, ChunkResult, run_chunks
from ganjax.training.chunks import capacity_for, compile_chunk
from ganjax.training.experiment import Experiment, check_experiment
from ganjax.training.recorder import DivergedError
from ganjax.training.session import Outcome, RunInputs, Session


def fit(
    experiment: Experiment,
    folder: RunFolder | str | os.PathLike[str],
    *,
    steps: int | None = None,
    resume: bool = False,
    checkpoint_policy: CheckpointPolicy = CheckpointPolicy(),  # noqa: B008  (frozen)
    quiet: bool = False,
    leave: Callable[[int], None] | None = None,
) -> Outcome:
    """Train `experiment` and write the results to `folder`.

    A run ends with the same bytes in the same files however often it was stopped and resumed. Only the
    manifest contains times, dates and process numbers.

    Args:
        experiment: what to run. Everything random follows from `experiment.seed`.
        folder: an empty run folder, from `RunFolder.create`, or the path of a folder to create; with
            `resume`, one that contains this run.
        steps: last step; by default `experiment.steps`. Schedules of `experiment` do not change.
        resume: continue from the latest undamaged checkpoint, or start at the first step if there is none.
        checkpoint_policy: how often checkpoints are written, and how many are kept.
        quiet: no progress bar, no messages.
        leave: `os._exit`, for a program that a second Ctrl-C is to end at once (see `Interruption`).

    Raises:
        DivergedError: a loss or gradient was not finite; the last good state is in `checkpoints/`.
        UserError: another process is training in `folder`, or it contains another run (of another GAN, other
            data or settings), or one that has done more than `steps` steps.
        OSError: something cannot be written. Files written before are not damaged.
    """
    check_experiment(experiment)
    folder = as_folder(folder, resume)
    with Lock(folder.path), settings_for(experiment):
        remove_unfinished(folder.path)
        return _fit(experiment, folder, steps or experiment.steps, resume, checkpoint_policy, quiet, leave)


def _fit(
    experiment: Experiment,
    folder: RunFolder,
    last: int,
    resume: bool,
    checkpoint_policy: CheckpointPolicy,
    quiet: bool,
    leave: Callable[[int], None] | None,
) -> Outcome:
    say, clock, gan = (lambda text: None) if quiet else tell, Clock(), experiment.gan
    with clock("data"):
        run = RunInputs(experiment, not quiet)
    # Nothing is written or removed before the data are loaded: if that fails, the folder is unchanged.
    if not resume:
        folder.make_room()
    resumed = resume_from(folder, gan, run.description, say) if resume else None
    first = resumed.step if resumed else 0
    if first > last:
        raise UserError(f"{folder.path} has done {first} steps already: --steps must be at least {first}")
    session = Session(run, folder, last, checkpoint_policy, say, clock, resumed)
    state = resumed.state if resumed else initial_state(experiment, run.init_key)
    capacity = capacity_for(experiment.steps, experiment.batch)
    chunk = compile_chunk(gan, experiment.batch, capacity)
    chunk_plan = ChunkPlan(first, last, stops(experiment, checkpoint_policy), capacity)
    steps = ([result] for result in run_chunks(chunk, state, run.source, run.data_key, chunk_plan, clock))
    (outcome,) = run_sessions([session], [state], steps, chunk_plan, checkpoint_policy, quiet, leave)
    if isinstance(outcome, DivergedError):
        raise outcome
    return outcome


def run_sessions(
    sessions: Sequence[Session],
    states: Sequence[GANState],
    steps: Iterable[Sequence[ChunkResult]],
    chunk_plan: ChunkPlan,
    checkpoint_policy: CheckpointPolicy,
    quiet: bool,
    leave: Callable[[int], None] | None,
) -> list[Outcome | DivergedError]:
    """Run sessions together from `states` to their last step, or until a signal stops them.

    Args:
        sessions: one per run.
        states: the initial state of each.
        steps: the results of each chunk, one per session. Those of sessions that have diverged are ignored.
        chunk_plan: first and last step.
        checkpoint_policy, quiet, leave: as in `fit`.

    Returns:
        How each run ended.
    """
    timer = IntervalTimer(checkpoint_policy.every)
    with (
        Interruption(quiet, leave) as interruption,
        contextlib.ExitStack() as opened,
        Progress(chunk_plan.last, quiet, done=chunk_plan.first) as progress,
    ):
        interruption.nothing_to_lose = True
        for session, state in zip(sessions, states, strict=True):
            opened.enter_context(session).begin(state)
        for results in steps:
            interruption.nothing_to_lose = False
            running = [pair for pair in zip(sessions, results, strict=True) if not pair[0].diverged]
            for session, result in running:
                session.note(result)
            running = [(session, result) for session, result in running if not session.diverged]
            if not running:
                break
            result, asked = running[0][1], interruption.asked
            if result.step == chunk_plan.last or asked or timer.due(result.step):
                for session, _ in running:
                    session.save()
            progress.advance(result.step - result.first, _means([result.rows for _, result in running]))
            if asked:
                break
        for session in sessions:
            session.wait()
        # A signal that has come is being obeyed; only another one may end the process at once.
        interruption.nothing_to_lose = not interruption.asked
        return [session.diverged or session.end(interruption.asked) for session in sessions]


def as_folder(folder: RunFolder | str | os.PathLike[str], resume: bool) -> RunFolder:
    """The run folder at a path: created, or with `resume` opened."""
    if isinstance(folder, RunFolder):
        return folder
    return RunFolder(folder) if resume else RunFolder.create(folder)


def stops(experiment: Experiment, checkpoint_policy: CheckpointPolicy) -> tuple[int, ...]:
    """The numbers at whose multiples a run returns to Python."""
    return experiment.picture_every, experiment.select_every, checkpoint_policy.every.steps


def initial_state(experiment: Experiment, key: jax.Array) -> GANState:
    """The state before the first step, drawn from `key`."""
    # It runs once, so nearly all the time is compilation, and most of that is optimisation.
    init = jax.jit(init_state, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})
    return init(experiment.gan, key)


def _means(rows: Sequence[dict[str, np.ndarray]]) -> dict[str, float]:
    """Means over runs of the metrics of the last step, by name."""
    return {name: float(np.mean([each[name][-1] for each in rows])) for name in rows[0]}
