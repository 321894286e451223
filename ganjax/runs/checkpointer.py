"""The last few checkpoints of a run, written while it goes on."""

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

MINUTE = Interval(seconds=60)


@dataclasses.dataclass(frozen=True)
class CheckpointPolicy:
    """How a run is kept safe.

    Attributes:
        every: how often a checkpoint is written, beside the one at the end.
        last: how many of them stay while the run goes on. A finished run keeps its last state and its best:
            which others there were depends on how long things took.
    """

    every: Interval = MINUTE
    last: int = 2


class Checkpointer:
    """A context that writes checkpoints in a thread of its own, one after another.

    Args:
        folder: the run's.
        keep: how many of the last checkpoints stay. The best states they speak of stay beside them.
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
        """Begin to write `checkpoint`, and the best state it speaks of where that is not there yet.

        Raises:
            OSError: the one before could not be written.
        """
        self.wait()
        self._writing = self._thread.submit(self._write, checkpoint, best)

    def wait(self) -> None:
        """Return when everything is written.

        Raises:
            OSError: it could not be.
        """
        writing, self._writing = self._writing, None
        if writing:
            writing.result()

    def _write(self, checkpoint: Checkpoint, best: Checkpoint | None) -> None:
        if best:
            # First, since a checkpoint without the best state it speaks of is of no use.
            path = self.folder.best_path(best.record["step"])
            if not path.exists():
                checkpoints.write(path, best)
        checkpoints.write(self.folder.checkpoint_path(checkpoint.record["step"]), checkpoint)
        self.keep_last(self.keep)

    def keep_last(self, count: int) -> None:
        """Remove all but the last `count` checkpoints, and the best states none of them speaks of."""
        paths = self.folder.checkpoints()
        for path in paths[:-count]:
            path.unlink(missing_ok=True)
        spoken_of = {self._best_of(path) for path in paths[-count:]}
        for path in self.folder.best_states():
            if path not in spoken_of:
                path.unlink(missing_ok=True)

    def _best_of(self, path: Path) -> Path | None:
        try:
            best = Record.from_json(checkpoints.read_record(path)["written"]).best
        except (DamagedError, KeyError, TypeError, ValueError):
            return None  # an older one that nobody can go on from
        return self.folder.best_path(best["step"]) if best else None
