"""How a run is resumed: from its latest undamaged checkpoint whose files are all unchanged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganjax.export import arrays_digest, arrays_to_state
from ganjax.gan import GAN
from ganjax.runs import checkpoints
from ganjax.runs.checkpoints import Checkpoint
from ganjax.runs.manifest import earlier_manifest, mismatch
from ganjax.runs.record import Record
from ganjax.runs.run_folder import MANIFEST_SCHEMA, RunFolder, read_manifest, step_of
from ganjax.state import GANState
from ganjax.system.errors import DamagedError, UserError
from ganjax.system.files import remove_unfinished
from ganjax.system.lock import Lock


@dataclasses.dataclass(frozen=True)
class Resumed:
    """What a checkpoint says about a run.

    Attributes:
        step: number of steps done.
        state: the whole state.
        record: what the run had written.
        witnesses: a few values of earlier states, by step (`ganjax.runs.digests`).
        best: the best state so far, if the experiment selects one.
    """

    step: int
    state: GANState
    record: Record
    witnesses: Mapping[int, np.ndarray]
    best: GANState | None


def resume_from(
    folder: RunFolder,
    gan: GAN,
    description: Mapping[str, Any],
    say: Callable[[str], None],
) -> Resumed | None:
    """Read the latest usable checkpoint and remove newer files; None if training starts at the first step.

    A checkpoint is skipped if it is damaged, or if one of its run's files is missing or changed. What came
    after the checkpoint before it is then computed again, with the same result.

    Args:
        folder: of the run, locked by this process.
        gan: the GAN of the state.
        description: of the run to resume, from `manifest.describe`.
        say: called with a message for each checkpoint that is skipped.

    Raises:
        UserError: the checkpoints are of another run, network or version of ganjax, or the run diverged.
        OSError: the folder cannot be read or written.
    """
    resumed = resume_together([folder], gan, [description], say)
    return resumed[0] if resumed else None


def resume_together(
    folders: Sequence[RunFolder],
    gan: GAN,
    descriptions: Sequence[Mapping[str, Any]],
    say: Callable[[str], None],
) -> list[Resumed] | None:
    """`resume_from` for runs of one GAN that train together: the latest step of which all have a checkpoint.

    None if all of them start at the first step. Arguments and errors are those of `resume_from`.
    """
    runs = list(zip(folders, descriptions, strict=True))
    earlier = [_check_same_run(folder, description) for folder, description in runs]
    paths = [{step_of(path): path for path in folder.checkpoints()} for folder in folders]
    for step in sorted(set.intersection(*map(set, paths)), reverse=True):
        try:
            resumed = [
                _read(folder, its[step], gan, description)
                for (folder, description), its in zip(runs, paths, strict=True)
            ]
        except DamagedError as error:
            say(f"{error}: using the checkpoint before it")
            continue
        for folder in folders:
            _remove_after(folder, step)
        return resumed
    for folder, manifest in zip(folders, earlier, strict=True):
        if manifest.get("status") == "finished":
            raise UserError(f"{folder.path} has no usable checkpoint left: --overwrite trains it again")
    where = f"{folders[0].path} has no usable checkpoint"
    if len(folders) > 1:
        where = f"{folders[0].path} to {folders[-1].path} have no usable checkpoint of the same step"
    say(f"{where}: starting at the first step")
    for folder in folders:
        _remove_after(folder, -1)
    return None


def remove_leftovers(folder: RunFolder) -> None:
    """Remove temporary files of a process that was killed just before its end.

    Raises:
        UserError: another process is training in the folder.
        OSError: the folder cannot be written.
    """
    with Lock(folder.path):
        remove_unfinished(folder.path)


def manifest_of(path: Path) -> dict[str, Any]:
    """The manifest of a run, given the folder of the run or the file itself.

    If the manifest in a folder is missing or damaged: the description of the run in its latest undamaged
    checkpoint.

    Raises:
        UserError: there is neither of the two, or it is of another version of ganjax.
    """
    if path.is_file():
        return _current(read_manifest(path), path)
    folder = RunFolder(path)
    damaged: UserError | None = None
    try:
        return _current(RunFolder.open(path).read_manifest(), path)
    except DamagedError as error:
        damaged = error
    except UserError:
        if folder.manifest_path.exists() or not folder.checkpoints():
            raise
    for checkpoint in reversed(folder.checkpoints()):
        try:
            return dict(checkpoints.read(checkpoint).record["run"])
        except (DamagedError, KeyError, TypeError, ValueError):
            continue
    raise damaged or UserError(f"{path} has no readable manifest and no readable checkpoint: train it again")


def _current(manifest: dict[str, Any], path: Path) -> dict[str, Any]:
    if manifest.get("schema", MANIFEST_SCHEMA) < MANIFEST_SCHEMA:
        raise UserError(
            f"{path} was written by an older ganjax: `ganjax sample` and `explore` can read it, but it "
            "cannot be resumed or reproduced"
        )
    return manifest


def _check_same_run(folder: RunFolder, description: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest in `folder`, after a check that it is of this run; empty if it is missing or damaged."""
    earlier = _current(earlier_manifest(folder), folder.path)
    other = mismatch(description, earlier) if earlier else None
    if other:
        raise UserError(f"{folder.path} is another run: {other}")
    if earlier.get("status") == "diverged":
        raise UserError(f"{folder.path} diverged, and would diverge again: {earlier.get('reason')}")
    return earlier


def _read(folder: RunFolder, path: Path, gan: GAN, description: Mapping[str, Any]) -> Resumed:
    checkpoint, state = _read_state(path, gan, description)
    if "diverged" in checkpoint.record:
        raise DamagedError(f"{path} cannot be used: the run diverged after it")
    try:
        record = Record.from_json(checkpoint.record["written"])
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(
            f"{path} is not a checkpoint of ganjax: its record is not valid: {error}"
        ) from error
    best = None
    if record.best:
        best_path = folder.best_path(record.best["step"])
        if not best_path.exists():
            raise DamagedError(f"{path} cannot be used: {best_path.name} is missing")
        _, best = _read_state(best_path, gan, description)
    missing = record.missing_from(folder)
    if missing:
        raise DamagedError(f"{path} cannot be used: {missing}")
    return Resumed(step_of(path), state, record, checkpoint.witnesses, best)


def _read_state(path: Path, gan: GAN, description: Mapping[str, Any]) -> tuple[Checkpoint, GANState]:
    checkpoint = checkpoints.read(path)
    try:
        its, step = checkpoint.record["run"], checkpoint.record["step"]
        sha256 = checkpoint.record["state_sha256"]
    except KeyError as error:
        raise DamagedError(f"{path} is not a checkpoint of ganjax: its record lacks {error}") from error
    if step != step_of(path) or sha256 != arrays_digest(checkpoint.arrays):
        raise DamagedError(f"{path} is damaged: its record is of another state")
    other = mismatch(description, its) if isinstance(its, Mapping) else "it does not say which one"
    if other:
        raise UserError(f"{path} is of another run: {other}")
    try:
        return checkpoint, arrays_to_state(gan, checkpoint.arrays)
    except ValueError as error:
        raise UserError(f"{path} is of another network: {error}") from error


def _remove_after(folder: RunFolder, step: int) -> None:
    for path in [*folder.pictures(), *folder.checkpoints(), *folder.best_states()]:
        if step_of(path) > step:
            path.unlink()
