"""One run in this process, from its first chunk here to its end: what is written, saved and said of it."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Callable, Sequence
from typing import Any

import jax

from ganjax.datasets.batches import Source
from ganjax.export import export_models, state_digest
from ganjax.runs.checkpointer import Checkpointer, CheckpointPolicy
from ganjax.runs.manifest import Manifest, command_of, describe
from ganjax.runs.resuming import Resumed
from ganjax.runs.run_folder import RunFolder
from ganjax.state import GANState
from ganjax.system.progress import Clock
from ganjax.training.chunked_run import ChunkResult
from ganjax.training.experiment import Experiment
from ganjax.training.recorder import DivergedError, Recorder


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: the state that was saved as models: the last, or the best where the experiment selects.
        step: how many steps were done.
        stopped_by: the signal that ended it before its last step, or 0.
        scores: the experiment's own judgement of `state`.
        timings: seconds by phase: data, compile (up to the end of the first chunk), steps, pictures,
            checkpoints (for which training stood still), finish. Of all members of a population together.
    """

    state: GANState
    step: int
    stopped_by: int
    scores: dict[str, float]
    timings: dict[str, float]


class RunInputs:
    """What a run is made of: everything follows from its experiment and that one's seed.

    Args:
        experiment: what to run.
        progress: whether it may show how far the data are.
        company: the seeds of the population it is a member of, in their order.

    Attributes:
        source: the real data.
        description: of the run, from `manifest.describe`.
        command: that trains it.
        init_key, data_key, picture_key, score_key: what initial weights, batches, pictures and scores draw
            from.
    """

    def __init__(self, experiment: Experiment, progress: bool, company: Sequence[int] = ()) -> None:
        key = jax.random.key(experiment.seed)
        self.experiment = experiment
        self.init_key, self.data_key, self.picture_key, self.score_key = jax.random.split(key, 4)
        source, data = experiment.load(progress)
        self.source: Source = jax.device_put(source)
        self.description = describe(experiment, key, data)
        self.command = command_of(experiment, company)
        if company:
            self.description["population"] = {"seeds": list(company)}


class Session:
    """A context: from `begin`, over a `note` for every chunk, to `end`.

    Args:
        run: what it is made of.
        folder: where it writes; locked by this process.
        last: the step it is to end with.
        keeping: how many checkpoints stay.
        say: told where this process runs on something else than the one before.
        clock: told the seconds of "pictures", "checkpoints" and "finish".
        found: the checkpoint it goes on from.

    Attributes:
        state: the state it has reached.
        diverged: why it ended before its last step, if so.
    """

    def __init__(
        self,
        run: RunInputs,
        folder: RunFolder,
        last: int,
        checkpoint_policy: CheckpointPolicy,
        say: Callable[[str], None],
        clock: Clock,
        found: Resumed | None,
    ) -> None:
        self.run, self.folder, self.last, self.clock, self.found = run, folder, last, clock, found
        self.diverged: DivergedError | None = None
        said = run.description | {"command": run.command}
        self.manifest = Manifest.begin(folder, said, found.step if found else 0, last, say)
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
            found,
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
        """Record the state that the first chunk begins with, unless an earlier process has."""
        self.state = state
        if not self.found:
            self.recorder.begin(state)
        # What a checkpoint knows, a manifest that was damaged or gone does not.
        self.manifest.note(int(state.step), self.recorder.record.digests)

    def note(self, result: ChunkResult) -> None:
        """Record what a chunk has done. A run that diverges is saved as it last was good, and closed.

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
        """Begin to write the whole state to the disk.

        Raises:
            OSError: what was saved before could not be written.
        """
        with self.clock("checkpoints"):
            self.checkpointer.save(*self.recorder.checkpoint(self.state, self.diverged))

    def wait(self) -> None:
        """Return when everything that was saved is on the disk."""
        with self.clock("checkpoints"):
            self.checkpointer.wait()

    def end(self, asked: int) -> Outcome:
        """Write what a run leaves at its end: that was reached, or the signal `asked` came before."""
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
        if stopped_by != signal.SIGTERM:  # whoever sends that is about to switch off
            with self.clock("finish"):
                ended |= self._finish(final)
                save_report(self.folder.path, self.manifest.values | ended)
        if not stopped_by:
            self.checkpointer.keep_last(1)
        self.manifest.end(clock=self.clock, **ended)
        return Outcome(final, step, stopped_by, ended["scores"], self.clock.seconds)

    def _finish(self, final: GANState) -> dict[str, Any]:
        """Final picture, film, curves, models; returns the scores, and the SHA-256 of the models' files."""
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
