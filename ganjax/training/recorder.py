"""What a run writes while it trains: rows of metrics, pictures, digests, the best state, checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.datasets.batches import Source
from ganjax.export import arrays_digest, state_to_arrays
from ganjax.runs.checkpoints import Checkpoint
from ganjax.runs.digests import is_digest_step, witness
from ganjax.runs.record import MetricsWriter, Record, sha256_of
from ganjax.runs.resuming import Resumed
from ganjax.runs.run_folder import RunFolder
from ganjax.state import GANState
from ganjax.system.errors import UserError
from ganjax.system.progress import Clock
from ganjax.training.chunked_run import ChunkResult
from ganjax.training.experiment import Experiment


class DivergedError(UserError):
    """A loss or gradient was not finite.

    Attributes:
        step: the step in which it happened, counted from 1.
        good: the last good state: the step from it was finite.
    """

    def __init__(self, message: str, step: int, good: GANState) -> None:
        super().__init__(message)
        self.step, self.good = step, good


class Recorder:
    """Records the results of a run after each chunk.

    Args:
        experiment: that is run.
        description: of the run, from `manifest.describe`.
        folder: of the run.
        source: the real data.
        picture_key, score_key: PRNG keys of pictures and scores.
        last: last step of the run.
        clock: adds up the seconds of "pictures".
        resumed: the checkpoint from which the run continues.

    Attributes:
        record: what has been written to the folder.
        witnesses: a few values of the state, by step (`ganjax.runs.digests`).
        best: the state with the smallest distance, if the experiment selects one.
    """

    def __init__(
        self,
        experiment: Experiment,
        description: Mapping[str, Any],
        folder: RunFolder,
        source: Source,
        picture_key: jax.Array,
        score_key: jax.Array,
        last: int,
        clock: Clock,
        resumed: Resumed | None = None,
    ) -> None:
        self.experiment, self.description, self.folder = experiment, description, folder
        self.source, self.picture_key, self.score_key = source, picture_key, score_key
        self.last, self.clock = last, clock
        self.record = resumed.record if resumed else Record()
        self.witnesses = dict(resumed.witnesses) if resumed else {}
        self.best = resumed.best if resumed else None
        self.good: GANState | None = None
        ended = resumed is not None and resumed.step == last  # a run that is made longer loses its last row
        self.metrics = MetricsWriter(
            folder.metrics_path, size=self.record.metrics[0], end=self.record.end if ended else ""
        )

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.metrics.close()

    def begin(self, state: GANState) -> None:
        """Record the state before the first step."""
        self.picture(state, 0)
        self.digest(state, 0)

    def note(self, result: ChunkResult) -> None:
        """Record the results of a chunk.

        Raises:
            DivergedError: a metric is not finite. The rows up to that step are written.
        """
        finite = result.rows["finite"]
        # A state is good if the step from it is finite: the update that led to it may have overflowed.
        self.good = result.before if finite[0] or self.good is None else self.good
        self.log(result)
        if not finite.all():
            raise self.diverged(self.good, result.first + int(np.argmin(finite)) + 1)
        self.select(result.state, result.step)
        self.picture(result.state, result.step)
        self.digest(result.state, result.step)

    def checkpoint(
        self, state: GANState, diverged: DivergedError | None = None
    ) -> tuple[Checkpoint, Checkpoint | None]:
        """Checkpoints of `state`, with the record of the run, and of the best state, if any.

        With `diverged`, the run cannot be resumed from it.
        """
        self.record.metrics, self.record.end = self.metrics.secure(), self.metrics.end
        best = self._checkpoint(self.best, {}) if self.best else None
        written: dict[str, Any] = {"written": self.record.as_json()}
        if diverged:
            written["diverged"] = str(diverged)
        return self._checkpoint(state, written, self.witnesses), best

    def log(self, result: ChunkResult) -> None:
        """Write the rows that are due, up to the first one that is not finite."""
        for i, finite in enumerate(result.rows["finite"]):
            step = result.first + i + 1
            due = step % self.experiment.log_every == 0
            if due or step == self.last or not finite:
                row = {"step": step, **{name: float(values[i]) for name, values in result.rows.items()}}
                self.metrics.write(row, ends=not due)
            if not finite:
                break

    def select(self, state: GANState, step: int) -> None:
        every = self.experiment.select_every
        if every > 0 and step % every == 0:
            distance = float(self.experiment.distance(state, self.source, self.score_key))
            if distance < (self.record.best["value"] if self.record.best else float("inf")):
                self.best = jax.tree.map(jnp.copy, state)
                self.record.best = {"step": step, "score": self.experiment.select_by, "value": distance}

    def picture(self, state: GANState, step: int) -> None:
        every = self.experiment.picture_every
        if every > 0 and step % every == 0:
            path = self.folder.picture_path(step)
            with self.clock("pictures"):
                self.experiment.draw(path, state, self.source, self.picture_key)
            self.record.pictures[path.name] = sha256_of(path) or ""

    def digest(self, state: GANState, step: int) -> None:
        if is_digest_step(step):
            arrays = state_to_arrays(state)
            self.record.digests[str(step)] = arrays_digest(arrays)
            self.witnesses[step] = witness(arrays)

    def diverged(self, good: GANState, bad: int) -> DivergedError:
        good_step = int(good.step)
        return DivergedError(
            f"the losses or gradients of step {bad} are not finite (state key "
            f"{jax.random.key_data(good.key).tolist()}); the last good state, of step {good_step}, is in "
            f"{self.folder.checkpoint_path(good_step)}: try a smaller learning rate",
            bad,
            good,
        )

    def _checkpoint(
        self, state: GANState, extra: Mapping[str, Any], witnesses: Mapping[int, np.ndarray] | None = None
    ) -> Checkpoint:
        arrays = state_to_arrays(state)
        step = int(state.step)
        record = {
            "run": self.description,
            "step": step,
            "samples_seen": step * self.experiment.batch * self.experiment.gan.discriminator_updates,
            "state_sha256": arrays_digest(arrays),
        }
        return Checkpoint(arrays, {**record, **extra}, dict(witnesses or {}))
