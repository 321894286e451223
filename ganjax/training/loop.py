"""fit: run an experiment from its first step to its last, or from its last checkpoint on."""

from __future__ import annotations

import dataclasses
import signal
import sys
from collections.abc import Callable

import jax

from ganjax.errors import UserError
from ganjax.export import export_models, state_digest
from ganjax.files import remove_unfinished
from ganjax.state import GANState, init_state
from ganjax.training.advance import Course, advance
from ganjax.training.chunks import capacity_for, compile_chunk
from ganjax.training.clock import Clock
from ganjax.training.experiment import Experiment
from ganjax.training.interruption import Interruption
from ganjax.training.keeper import Keeper, Keeping
from ganjax.training.lock import Lock
from ganjax.training.manifest import Manifest, describe
from ganjax.training.progress import Progress
from ganjax.training.recorder import DivergedError, Recorder
from ganjax.training.resuming import resume_from
from ganjax.training.rhythm import Beat
from ganjax.training.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: the state that was saved as models: the last, or the best where the experiment selects.
        step: how many steps were done.
        stopped_by: the signal that ended it before its last step, or 0.
        scores: the experiment's own judgement of `state`.
        timings: seconds by phase: data, compile (up to the end of the first chunk), steps, pictures,
            checkpoints (for which training stood still), finish.
    """

    state: GANState
    step: int
    stopped_by: int
    scores: dict[str, float]
    timings: dict[str, float]


def fit(
    experiment: Experiment,
    folder: RunFolder,
    *,
    steps: int | None = None,
    resume: bool = False,
    keeping: Keeping = Keeping(),  # noqa: B008  (frozen)
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
        return _fit(experiment, folder, steps or experiment.steps, resume, keeping, quiet, leave)


def _fit(
    experiment: Experiment,
    folder: RunFolder,
    last: int,
    resume: bool,
    keeping: Keeping,
    quiet: bool,
    leave: Callable[[int], None] | None,
) -> Outcome:
    def say(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr)

    clock, key = Clock(), jax.random.key(experiment.seed)
    init_key, data_key, picture_key, score_key = jax.random.split(key, 4)
    with clock("data"):
        source, data = experiment.load(not quiet)
        source = jax.device_put(source)
    # Nothing is written before: a run whose data cannot be had leaves its folder as it was.
    run = describe(experiment, key, data)
    found = resume_from(folder, experiment.gan, run, last, experiment.log_every, say) if resume else None
    first = found.step if found else 0
    if first > last:
        raise UserError(f"{folder.path} has {first} steps already: --steps must be at least that many")
    manifest = Manifest.begin(folder, run, first, last, say)
    state = found.state if found else initial_state(experiment, init_key)
    chunk = compile_chunk(experiment.gan, experiment.batch, capacity_for(experiment.steps, experiment.batch))
    course = Course(
        first,
        last,
        every=(experiment.picture_every, experiment.select_every, keeping.every.steps),
        capacity=capacity_for(experiment.steps, experiment.batch),
    )
    beat = Beat(keeping.every)
    with (
        Interruption(quiet, leave) as interruption,
        Keeper(folder, keeping.last) as keeper,
        Recorder(experiment, run, folder, source, picture_key, score_key, last, clock, found) as recorder,
        Progress(last, quiet, done=first) as progress,
    ):
        interruption.nothing_to_lose = True
        if not found:
            recorder.begin(state)
        try:
            for reached in advance(chunk, state, source, data_key, course, clock):
                interruption.nothing_to_lose = False
                recorder.note(reached)
                state = reached.state
                if reached.step == last or interruption.asked or beat.due(reached.step):
                    with clock("checkpoints"):
                        keeper.save(*recorder.checkpoint(state))
                manifest.note(reached.step, recorder.record.digests)
                progress.advance(
                    reached.step - reached.first,
                    {name: float(values[-1]) for name, values in reached.rows.items()},
                )
                if interruption.asked:
                    break
        except DivergedError as error:
            keeper.save(*recorder.checkpoint(error.good))
            manifest.end("diverged", clock, reason=str(error), steps_done=int(error.good.step))
            raise
        with clock("checkpoints"):
            keeper.wait()
        interruption.nothing_to_lose = True
        step = int(state.step)
        stopped_by = interruption.asked if step < last else 0
        final = recorder.best or state
        scores: dict[str, float] = {}
        if stopped_by != signal.SIGTERM:  # whoever sends that is about to switch off
            with clock("finish"):
                scores = _finish(experiment, folder, recorder, final)
        if not stopped_by:
            keeper.keep_last(1)
        manifest.end(
            "interrupted" if stopped_by else "finished",
            clock,
            steps_done=step,
            selected_step=int(final.step),
            scores=scores,
            state_sha256=state_digest(state),
        )
    return Outcome(final, step, stopped_by, scores, clock.seconds)


def initial_state(experiment: Experiment, key: jax.Array) -> GANState:
    """The state a run begins with, drawn from `key`."""
    # Run once: the time goes into compiling, and most of that into optimising.
    init = jax.jit(init_state, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})
    return init(experiment.gan, key)


def _finish(
    experiment: Experiment, folder: RunFolder, recorder: Recorder, final: GANState
) -> dict[str, float]:
    """Final picture, film, curves, models; returns the scores."""
    from ganjax import viewing

    experiment.draw(folder.samples / "final.png", final, recorder.source, recorder.picture_key)
    frames = folder.pictures()
    if frames:
        viewing.save_film(folder.path / "film.gif", [*frames, folder.samples / "final.png"])
    if folder.metrics_path.stat().st_size:
        viewing.save_curves(folder.path / "curves.png", folder.metrics_path)
    for role, model in zip(("generator", "discriminator"), export_models(experiment.gan, final), strict=True):
        folder.write_model(role, model)
    return experiment.judge(final, recorder.source, recorder.score_key)
