"""Writes the latest checkpoints of a run while it trains."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ganjax.runs import checkpoints
from ganjax.runs.checkpoints import Checkpoint
from ganjax.runs.interval import Interval
from ganjax.runs.record import Record
from ganjax.runs.run_folder import RunFolder
from ganjax.system.errors import DamagedError


@dataclasses.dataclass(frozen=True)
class CheckpointPolicy:
    """How often a run's checkpoints are written, and how many are kept.

    Attributes:
        every: how often a checkpoint is written. One more is written at the end.
        last: how many of the latest checkpoints are kept while the run goes on. A finished run keeps only its
            last state and its best one: which others there were depends on how long things took.
    """

    every: Interval = Interval(seconds=60)  # noqa: RUF009  (frozen)
    last: int = 2


class Checkpointer:
    """Context manager that writes checkpoints one after another, in its own thread.

    Args:
        folder: of the run.
        keep: how many of the latest checkpoints are kept, each with the best state that it refers to.
    """

    def __init__(self, folder: RunFolder, keep: int) -> None:
        self.folder, self.keep = folder, keep
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._writing: Future[None] | None = None

    def __enter__(self) -> Checkpointer:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown()
        if error is None:
            self.wait()

    def save(self, checkpoint: Checkpoint, best: Checkpoint | None) -> None:
        """Begin to write `checkpoint`, and the best state it refers to if that is not on disk yet.

        Raises:
            OSError: the previous checkpoint could not be written.
        """
        self.wait()
        self._writing = self._thread.submit(self._write, checkpoint, best)

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            OSError: something could not be written.
        """
        writing, self._writing = self._writing, None
        if writing:
            writing.result()

    def _write(self, checkpoint: Checkpoint, best: Checkpoint | None) -> None:
        if best:
            # First: a checkpoint without the best state it refers to is useless.
            path = self.folder.best_path(best.record["step"])
            if not path.exists():
                checkpoints.write(path, best)
        checkpoints.write(self.folder.checkpoint_path(checkpoint.record["step"]), checkpoint)
        self.keep_last(self.keep)

    def keep_last(self, count: int) -> None:
        """Remove all but the latest `count` checkpoints, and best states that none of these refers to."""
        paths = self.folder.checkpoints()
        for path in paths[:-count]:
            path.unlink(missing_ok=True)
        needed = {self._best_of(path) for path in paths[-count:]}
        for path in self.folder.best_states():
            if path not in needed:
                path.unlink(missing_ok=True)

    def _best_of(self, path: Path) -> Path | None:
        try:
            best = Record.from_json(checkpoints.read_record(path)["written"]).best
        except (DamagedError, KeyError, TypeError, ValueError):
            return None  # damaged: no run can be resumed from it
        return self.folder.best_path(best["step"]) if best else None
