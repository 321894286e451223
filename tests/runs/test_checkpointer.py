"""The latest checkpoints of a run, and the best states that they refer to."""

import errno

import numpy as np
import pytest

from ganjax.runs import checkpoints
from ganjax.runs.checkpointer import Checkpointer, CheckpointPolicy
from ganjax.runs.checkpoints import Checkpoint
from ganjax.runs.record import Record
from ganjax.runs.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run")


def at(step, best=None):
    """A checkpoint of `step`, and one of the best state it speaks of."""
    record = Record(best=best and {"step": best, "score": "s", "value": 0.5})
    whole = Checkpoint({"step": np.int32(step)}, {"step": step, "written": record.as_json()})
    return whole, best and Checkpoint({"step": np.int32(best)}, {"step": best})


def names(folder):
    return [path.name for path in [*folder.checkpoints(), *folder.best_states()]]


def test_so_many_stay_with_their_best_states(folder):
    with Checkpointer(folder, keep=2) as checkpointer:
        for step, best in ((3, None), (6, 2), (9, 2), (12, 10)):
            checkpointer.save(*at(step, best))
    assert names(folder) == ["step_0000009.npz", "step_0000012.npz", "best_0000002.npz", "best_0000010.npz"]
    checkpointer.keep_last(1)
    assert names(folder) == ["step_0000012.npz", "best_0000010.npz"]


def test_a_best_state_is_written_once_and_before_what_speaks_of_it(folder, monkeypatch):
    written, write = [], checkpoints.write

    def note(path, what):
        written.append(path.stem)
        write(path, what)

    monkeypatch.setattr(checkpoints, "write", note)
    with Checkpointer(folder, keep=2) as checkpointer:
        checkpointer.save(*at(3, 2))
        checkpointer.save(*at(6, 2))
    assert written == ["best_0000002", "step_0000003", "step_0000006"]


def test_a_damaged_one_that_stays_is_no_reason_to_stop(folder):
    with Checkpointer(folder, keep=3) as checkpointer:
        checkpointer.save(*at(3, 2))
        checkpointer.wait()
        folder.checkpoint_path(3).write_bytes(b"damaged")
        checkpointer.save(*at(6, 5))
    assert names(folder) == ["step_0000003.npz", "step_0000006.npz", "best_0000005.npz"]


def fail(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("then", ["save", "wait", "end"])
def test_what_could_not_be_written_is_said_at_the_next_chance(folder, monkeypatch, then):
    def keep():
        with Checkpointer(folder, keep=2) as checkpointer:
            checkpointer.save(*at(3))
            if then == "save":
                checkpointer.save(*at(6))
            elif then == "wait":
                checkpointer.wait()

    monkeypatch.setattr(checkpoints, "write", fail)
    with pytest.raises(OSError, match="No space left"):
        keep()


def test_another_error_is_not_hidden_by_it(folder, monkeypatch):
    def keep():
        with Checkpointer(folder, keep=2) as checkpointer:
            checkpointer.save(*at(3))
            raise KeyError

    monkeypatch.setattr(checkpoints, "write", fail)
    with pytest.raises(KeyError):
        keep()


def test_by_default_a_checkpoint_a_minute_and_two_of_them():
    policy = CheckpointPolicy()
    assert (policy.every.seconds, policy.every.steps, policy.last) == (60, 0, 2)
