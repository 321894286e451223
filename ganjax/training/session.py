"""The part of a run that this process does: its inputs, and what it writes from first chunk to end."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from ganjax import stateless
from ganjax.datasets.batches import Source
from ganjax.export import export_models, state_digest
from ganjax.gan import GAN
from ganjax.runs.checkpointer import Checkpointer, CheckpointPolicy
from ganjax.runs.fingerprint import data_fingerprint, gan_fingerprint
from ganjax.runs.manifest import Manifest, command_of, describe
from ganjax.runs.resuming import Resumed
from ganjax.runs.run_folder import RunFolder
from ganjax.state import GANState
from ganjax.system.errors import UserError
from ganjax.system.keras_settings import settings_for
from ganjax.system.progress import Clock
from ganjax.training.chunked_run import ChunkResult
from ganjax.training.experiment import Experiment, load
from ganjax.training.recorder import DivergedError, Recorder


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: the state that was saved as models: the last one, or the best if the experiment selects one.
        step: number of steps done.
        stopped_by: the signal that stopped the run before its last step, or 0.
        scores: of `state`, from `experiment.score`.
        timings: seconds by phase: data, compile (up to the end of the first chunk), steps, pictures,
            checkpoints (only the time for which training waited), finish. For all members of a population
            together.
    """

    state: GANState
    step: int
    stopped_by: int
    scores: dict[str, float]
    timings: dict[str, float]


class RunInputs:
    """The inputs of a run. All of them follow from the experiment and its seed.

    Args:
        experiment: what to run.
        progress: whether loading the data may show its progress.
        seeds: of the population that the run belongs to, in order; empty for a single run.
        fingerprint: of the GAN, where another run of the same GAN has computed it.

    Attributes:
        source: the real data.
        fingerprint: of the GAN.
        description: of the run, from `manifest.describe`.
        command: the command line that trains it.
        init_key, data_key, picture_key, score_key: PRNG keys of initial weights, batches, pictures and
            scores.
    """

    def __init__(
        self,
        experiment: Experiment,
        progress: bool,
        seeds: Sequence[int] = (),
        fingerprint: Mapping[str, Any] | None = None,
    ) -> None:
        key = jax.random.key(experiment.seed)
        self.experiment = experiment
        self.init_key, self.data_key, self.picture_key, self.score_key = jax.random.split(key, 4)
        source, data = load(experiment, progress)
        batch, gan = experiment.batch, experiment.gan
        _check_saving(gan)
        with settings_for(experiment):
            self.fingerprint = fingerprint or gan_fingerprint(gan, batch, source)
        # Samples whose hash is in their description are not hashed again.
        drawn = data_fingerprint(source, batch * gan.discriminator_updates, arrays="sha256" not in data)
        functions = {**self.fingerprint["functions"], "data": drawn}
        self.description = describe(experiment, key, data, {**self.fingerprint, "functions": functions})
        self.source: Source = jax.device_put(source)
        self.command = command_of(experiment, seeds)
        if seeds:
            self.description["population"] = {"seeds": list(seeds)}


def _check_saving(gan: GAN) -> None:
    """Raise UserError before training if the networks could not be written to files after it."""
    for model in (gan.generator, gan.discriminator):
        try:
            stateless.check_saving(model)
        except ValueError as error:
            raise UserError(f"a run writes its networks to files, but {error}") from error


class Session:
    """Context manager for the results of a run: call `begin`, then `note` after each chunk, then `end`.

    Args:
        run: its inputs.
        folder: of the run, locked by this process.
        last: last step of the run.
        checkpoint_policy: how many checkpoints are kept.
        say: called with a message if the run began in another environment.
        clock: adds up the seconds of "pictures", "checkpoints" and "finish".
        resumed: the checkpoint from which the run continues.

    Attributes:
        state: the current state.
        diverged: the error if the run has diverged, otherwise None.
    """

    def __init__(
        self,
        run: RunInputs,
        folder: RunFolder,
        last: int,
        checkpoint_policy: CheckpointPolicy,
        say: Callable[[str], None],
        clock: Clock,
        resumed: Resumed | None,
    ) -> None:
        self.run, self.folder, self.last, self.clock, self.resumed = run, folder, last, clock, resumed
        self.diverged: DivergedError | None = None
        description = run.description | {"command": run.command}
        self.manifest = Manifest.begin(folder, description, resumed.step if resumed else 0, last, say)
        self.checkpointer = Checkpointer(folder, checkpoint_policy.last)
        self.recorder = Recorder(
            run.experiment,
            run.description,
            folder,
            run.source,
            run.picture_key,
            run.score_key,
            last,
            clock,
            resumed,
        )

    def __enter__(self) -> Session:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.checkpointer)
            stack.enter_context(self.recorder)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def begin(self, state: GANState) -> None:
        """Record the state before the first chunk, unless an earlier process has done so."""
        self.state = state
        if not self.resumed:
            self.recorder.begin(state)
        # A manifest that was damaged or missing lacks the digests that the checkpoint has.
        self.manifest.note(int(state.step), self.recorder.record.digests)

    def note(self, result: ChunkResult) -> None:
        """Record the results of a chunk. If the run has diverged, save its last good state and end it.

        Raises:
            OSError: something cannot be written.
        """
        try:
            self.recorder.note(result)
        except DivergedError as error:
            self.diverged, self.state = error, error.good
            self.save()
            self.wait()
            done, at = int(error.good.step), error.step
            self.manifest.end("diverged", self.clock, reason=str(error), steps_done=done, diverged_at=at)
        else:
            self.state = result.state
            self.manifest.note(result.step, self.recorder.record.digests)

    def save(self) -> None:
        """Begin to write a checkpoint.

        Raises:
            OSError: the previous checkpoint could not be written.
        """
        with self.clock("checkpoints"):
            self.checkpointer.save(*self.recorder.checkpoint(self.state, self.diverged))

    def wait(self) -> None:
        """Wait until all checkpoints are on disk."""
        with self.clock("checkpoints"):
            self.checkpointer.wait()

    def end(self, asked: int) -> Outcome:
        """Write the final files of a run that has done its last step or was stopped by the signal `asked`."""
        from ganjax.viewing import save_report

        step = int(self.state.step)
        stopped_by = asked if step < self.last else 0
        final = self.recorder.best or self.state
        ended: dict[str, Any] = {
            "status": "interrupted" if stopped_by else "finished",
            "steps_done": step,
            "selected_step": int(final.step),
            "scores": {},
            "models": {},
            "state_sha256": state_digest(self.state),
        }
        if stopped_by != signal.SIGTERM:  # after SIGTERM there is little time left
            with self.clock("finish"):
                ended |= self._finish(final)
                save_report(self.folder.path, self.manifest.values | ended)
        if not stopped_by:
            self.checkpointer.keep_last(1)
        self.manifest.end(clock=self.clock, **ended)
        return Outcome(final, step, stopped_by, ended["scores"], self.clock.seconds)

    def _finish(self, final: GANState) -> dict[str, Any]:
        """Write final picture, film, curves and models; returns scores and the SHA-256 of the model files."""
        from ganjax import viewing

        experiment, run, folder = self.run.experiment, self.run, self.folder
        experiment.draw(folder.samples / "final.png", final, run.source, run.picture_key)
        experiment.walk(folder.path / "walks.png", final, run.picture_key)
        frames = folder.pictures()
        if frames:
            viewing.save_film(folder.path / "film.gif", [*frames, folder.samples / "final.png"])
        if folder.metrics_path.stat().st_size:
            viewing.save_curves(folder.path / "curves.png", folder.metrics_path)
        models = export_models(experiment.gan, final)
        for role, model in zip(("generator", "discriminator"), models, strict=True):
            folder.write_model(role, model)
        scores = experiment.score(final, run.source, run.score_key)
        return {"scores": scores, "models": folder.model_digests()}
