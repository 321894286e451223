"""fit: run an experiment from its first step to its last, or from its last checkpoint on."""

from __future__ import annotations

import contextlib
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
from ganjax.system.lock import Lock
from ganjax.system.progress import Clock, Progress, tell
from ganjax.training.chunked_run import ChunkPlan, ChunkResult, run_chunks
from ganjax.training.chunks import capacity_for, compile_chunk
from ganjax.training.experiment import Experiment
from ganjax.training.recorder import DivergedError
from ganjax.training.session import Outcome, RunInputs, Session


def fit(
    experiment: Experiment,
    folder: RunFolder,
    *,
    steps: int | None = None,
    resume: bool = False,
    checkpoint_policy: CheckpointPolicy = CheckpointPolicy(),  # noqa: B008  (frozen)
    quiet: bool = False,
    leave: Callable[[int], None] | None = None,
) -> Outcome:
    """Train `experiment` and write everything it leaves into `folder`.

    However often it is stopped and resumed, a run ends with the same bytes in the same files; times, dates
    and process numbers stand in the manifest alone.

    Args:
        experiment: what to run. Everything drawn follows from `experiment.seed`.
        folder: an empty run folder, from `RunFolder.create`; with `resume`, one that holds this run.
        steps: end with this step, if not with `experiment.steps`. Schedules stay those of `experiment`.
        resume: go on from the last whole checkpoint, or from the beginning where there is none.
        keeping: how often checkpoints are written, and how many stay.
        quiet: no progress, no messages.
        leave: `os._exit`, for a program whose second Ctrl-C shall end it wherever it is (see `Interruption`).

    Raises:
        DivergedError: a loss or gradient was not finite; the last good state is in `checkpoints/`.
        UserError: another process is running in `folder`, or what is there is another run, or has gone
            further than `steps`.
        OSError: something cannot be written. What was safe stays safe.
    """
    with Lock(folder.path):
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
    # Nothing is written or removed before: a run whose data cannot be had leaves its folder as it was.
    if not resume:
        folder.make_room()
    found = resume_from(folder, gan, run.description, say) if resume else None
    first = found.step if found else 0
    if first > last:
        raise UserError(f"{folder.path} has {first} steps already: --steps must be at least that many")
    session = Session(run, folder, last, checkpoint_policy, say, clock, found)
    state = found.state if found else initial_state(experiment, run.init_key)
    capacity = capacity_for(experiment.steps, experiment.batch)
    chunk = compile_chunk(gan, experiment.batch, capacity)
    chunk_plan = ChunkPlan(first, last, stops(experiment, checkpoint_policy), capacity)
    steps = ([result] for result in run_chunks(chunk, state, run.source, run.data_key, chunk_plan, clock))
    (outcome,) = carry_out([session], [state], steps, chunk_plan, checkpoint_policy, quiet, leave)
    if isinstance(outcome, DivergedError):
        raise outcome
    return outcome


def carry_out(
    sessions: Sequence[Session],
    states: Sequence[GANState],
    steps: Iterable[Sequence[ChunkResult]],
    chunk_plan: ChunkPlan,
    checkpoint_policy: CheckpointPolicy,
    quiet: bool,
    leave: Callable[[int], None] | None,
) -> list[Outcome | DivergedError]:
    """Lead runs that take their steps together from `states` to their end, or to where a signal stops all.

    Args:
        sessions: one a run.
        states: what each begins with.
        steps: chunk by chunk, what each has reached. Those that have diverged are passed over.
        course: from where to where.
        keeping, quiet, leave: as in `fit`.

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
            going = [pair for pair in zip(sessions, results, strict=True) if not pair[0].diverged]
            for session, result in going:
                session.note(result)
            going = [(session, result) for session, result in going if not session.diverged]
            if not going:
                break
            result, asked = going[0][1], interruption.asked
            if result.step == chunk_plan.last or asked or timer.due(result.step):
                for session, _ in going:
                    session.save()
            progress.advance(result.step - result.first, _means([result.rows for _, result in going]))
            if asked:
                break
        for session in sessions:
            session.wait()
        # Whoever has asked already is obeyed just now: only another signal means more.
        interruption.nothing_to_lose = not interruption.asked
        return [session.diverged or session.end(interruption.asked) for session in sessions]


def stops(experiment: Experiment, checkpoint_policy: CheckpointPolicy) -> tuple[int, ...]:
    """At the multiples of which steps a run returns to Python."""
    return experiment.picture_every, experiment.select_every, checkpoint_policy.every.steps


def initial_state(experiment: Experiment, key: jax.Array) -> GANState:
    """The state a run begins with, drawn from `key`."""
    # Run once: the time goes into compiling, and most of that into optimising.
    init = jax.jit(init_state, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})
    return init(experiment.gan, key)


def _means(rows: Sequence[dict[str, np.ndarray]]) -> dict[str, float]:
    """Of the last row of each run, by name."""
    return {name: float(np.mean([each[name][-1] for each in rows])) for name in rows[0]}
