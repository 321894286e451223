"""fit: run an experiment from its first step to its last, and leave a run folder behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.datasets.batches import Source
from ganjax.errors import UserError
from ganjax.export import export_models, state_digest, state_to_arrays
from ganjax.gan import GAN
from ganjax.state import GANState, init_state
from ganjax.training.chunks import Chunk, capacity_for, compile_chunk
from ganjax.training.clock import Clock
from ganjax.training.interruption import Interruption
from ganjax.training.manifest import describe
from ganjax.training.progress import Progress
from ganjax.training.run_folder import MetricsWriter, RunFolder

CHUNK_SECONDS = 1.0  # what a chunk should take: Ctrl-C and the progress bar wait for it


class Experiment(Protocol):
    """What `fit` needs to know of an experiment; `ganjax.experiments` has the named ones."""

    @property
    def name(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def log_every(self) -> int: ...
    @property
    def picture_every(self) -> int: ...
    @property
    def select_every(self) -> int: ...
    @property
    def gan(self) -> GAN: ...

    def load(self, progress: bool) -> tuple[Source, Mapping[str, Any]]:
        """The real data, and what the manifest says of them."""
        ...

    def draw(self, path: Path, state: GANState, source: Source, key: jax.Array) -> None:
        """Draw a picture of the state; the same key gives the same latents."""
        ...

    def distance(self, state: GANState, source: Source, key: jax.Array) -> float:
        """With `select_every` > 0: how far the state is from what is wanted; the least is kept."""
        ...

    def judge(self, state: GANState, source: Source, key: jax.Array) -> dict[str, float]:
        """Scores of the final state, by name."""
        ...


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: the state that was saved as models: the last, or the best where the experiment selects.
        step: how many steps were done.
        interrupted: whether Ctrl-C ended it before its last step.
        scores: the experiment's own judgement of `state`.
        timings: seconds by phase: data, compile (up to the end of the first chunk), steps, pictures, finish.
    """

    state: GANState
    step: int
    interrupted: bool
    scores: dict[str, float]
    timings: dict[str, float]


class DivergedError(UserError):
    """A loss or gradient was no longer finite.

    Attributes:
        step: the step it happened in, from 1.
        good_step: how many steps the saved last good state has behind it.
    """

    def __init__(self, message: str, step: int, good_step: int) -> None:
        super().__init__(message)
        self.step, self.good_step = step, good_step


def fit(experiment: Experiment, folder: RunFolder, *, quiet: bool = False) -> Outcome:
    """Train `experiment` and write everything it leaves into `folder`.

    Args:
        experiment: what to run. Everything drawn follows from `experiment.seed`.
        folder: an empty run folder, from `RunFolder.create`.
        quiet: no progress, no messages.

    Raises:
        DivergedError: a loss or gradient was not finite; the last good state is in `checkpoints/`.
    """
    key = jax.random.key(experiment.seed)
    init_key, data_key, picture_key, score_key = jax.random.split(key, 4)
    clock = Clock()
    gan = experiment.gan
    manifest = describe(experiment, key)
    with clock("data"):
        source, data = experiment.load(not quiet)
        source = jax.device_put(source)
    # Written only now: a run whose data cannot be had leaves its folder as empty as it was.
    manifest |= {"data": dict(data)}
    folder.write_manifest(manifest | {"status": "running"})

    # Run once: the time goes into compiling, and most of that into optimising.
    init = jax.jit(init_state, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})
    state = init(gan, init_key)
    chunk = compile_chunk(gan, experiment.batch, capacity_for(experiment.steps, experiment.batch))
    run = _Run(experiment, folder, source, (data_key, picture_key, score_key), clock)
    with Interruption(quiet) as interruption, Progress(experiment.steps, quiet) as progress:
        try:
            state = run.train(chunk, state, interruption, progress)
        except DivergedError as error:
            ending = {"status": "diverged", "reason": str(error), "steps_done": error.good_step}
            folder.write_manifest(manifest | ending | {"seconds": clock.seconds})
            raise

    with clock("finish"):
        step = int(state.step)
        folder.write_arrays(folder.checkpoint_path(step), state_to_arrays(state))
        final = run.best or state
        scores = run.finish(final)
    folder.write_manifest(
        manifest
        | {
            "status": "interrupted" if step < experiment.steps else "finished",
            "steps_done": step,
            "selected_step": int(final.step),
            "scores": scores,
            "state_sha256": state_digest(state),
            "seconds": clock.seconds,
        }
    )
    return Outcome(final, step, step < experiment.steps, scores, clock.seconds)


class _Run:
    """The parts of one run that live as long as its loop."""

    def __init__(
        self,
        experiment: Experiment,
        folder: RunFolder,
        source: Source,
        keys: tuple[jax.Array, jax.Array, jax.Array],
        clock: Clock,
    ) -> None:
        self.experiment, self.folder, self.source, self.clock = experiment, folder, source, clock
        self.data_key, self.picture_key, self.score_key = keys
        self.best: GANState | None = None
        self.least = float("inf")

    def train(
        self, chunk: Chunk, state: GANState, interruption: Interruption, progress: Progress
    ) -> GANState:
        """Step until the end, or until interrupted; rows and pictures on the way."""
        metrics_file = MetricsWriter(self.folder.metrics_path)
        step, rate, good = 0, None, state
        self.picture(state, step)
        try:
            while step < self.experiment.steps and not interruption.asked:
                count = self.until_next_stop(step, rate)
                before = jax.tree.map(jnp.copy, state)  # the chunk donates `state`
                with self.clock("compile" if rate is None else "steps") as watch:
                    state, metrics = chunk(state, self.source, self.data_key, count)
                    rows = {name: np.asarray(values)[:count] for name, values in metrics.items()}
                # The first chunk also compiles: its rate only says how slow a step is at most.
                rate = count / watch.seconds
                # A state is good when the step from it is finite: the update to it may have overflowed.
                good = before if rows["finite"][0] or step == 0 else good
                self.log(metrics_file, rows, step)
                self.stop_if_diverged(rows["finite"], good, step)
                step += count
                self.select(state, step)
                self.picture(state, step)
                progress.advance(count, {name: float(values[-1]) for name, values in rows.items()})
        finally:
            metrics_file.close()
        return state

    def until_next_stop(self, step: int, rate: float | None) -> int:
        """How many steps to do now: to the next picture or selection, about a second's worth at most."""
        capacity = capacity_for(self.experiment.steps, self.experiment.batch)
        affordable = 1 if rate is None else max(1, min(capacity, int(rate * CHUNK_SECONDS)))
        rhythms = [self.experiment.picture_every, self.experiment.select_every]
        stops = [every - step % every for every in rhythms if every > 0]
        return min(affordable, self.experiment.steps - step, *stops)

    def stop_if_diverged(self, finite: np.ndarray, good: GANState, step: int) -> None:
        if finite.all():
            return
        bad = step + int(np.argmin(finite)) + 1
        good_step = int(good.step)
        path = self.folder.checkpoint_path(good_step)
        self.folder.write_arrays(path, state_to_arrays(good))
        raise DivergedError(
            f"the losses or gradients of step {bad} are not finite (state key "
            f"{jax.random.key_data(good.key).tolist()}); the last good state, of step {good_step}, is in "
            f"{path}: try a smaller learning rate",
            bad,
            good_step,
        )

    def log(self, file: MetricsWriter, rows: Mapping[str, np.ndarray], step: int) -> None:
        """Write the rows that are due, and last of all the first one that is not finite."""
        for i, finite in enumerate(rows["finite"]):
            now = step + i + 1
            if now % self.experiment.log_every == 0 or now == self.experiment.steps or not finite:
                file.write({"step": now, **{name: float(values[i]) for name, values in rows.items()}})
            if not finite:
                break

    def select(self, state: GANState, step: int) -> None:
        every = self.experiment.select_every
        if every > 0 and step % every == 0:
            distance = self.experiment.distance(state, self.source, self.score_key)
            if distance < self.least:
                self.least, self.best = distance, jax.tree.map(jnp.copy, state)

    def picture(self, state: GANState, step: int) -> None:
        every = self.experiment.picture_every
        if every > 0 and step % every == 0:
            with self.clock("pictures"):
                self.experiment.draw(self.folder.picture_path(step), state, self.source, self.picture_key)

    def finish(self, final: GANState) -> dict[str, float]:
        """Final picture, film, curves, models; returns the scores."""
        from ganjax import viewing

        folder, experiment = self.folder, self.experiment
        experiment.draw(folder.samples / "final.png", final, self.source, self.picture_key)
        frames = sorted(folder.samples.glob("step_*.png"))
        if frames:
            viewing.save_film(folder.path / "film.gif", [*frames, folder.samples / "final.png"])
        if folder.metrics_path.stat().st_size:
            viewing.save_curves(folder.path / "curves.png", folder.metrics_path)
        for role, model in zip(
            ("generator", "discriminator"), export_models(experiment.gan, final), strict=True
        ):
            folder.write_model(role, model)
        return experiment.judge(final, self.source, self.score_key)
