"""Where a run goes on from: its last checkpoint that is whole, and whose files are all still there."""

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
    """A run as it was when its checkpoint was written.

    Attributes:
        step: how far it was.
        state: the whole state.
        record: what it had written.
        witnesses: a few values of its states at the named steps.
        best: its best state until then, where the experiment selects one.
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
    """The latest checkpoint to go on from, the folder put back to what it was then; None to begin anew.

    A checkpoint that is damaged, or some of whose files are gone or changed, is passed over: what came after
    the one before will be made again, the same.

    Args:
        folder: the run's, locked by this process.
        gan: the GAN whose state it must be.
        description: of the run that is to go on, from `manifest.describe`.
        say: told what is passed over, and why.

    Raises:
        UserError: the checkpoints are of another run, network or version of ganjax, or the run diverged.
        OSError: the folder cannot be read or written.
    """
    found = resume_together([folder], gan, [description], say)
    return found[0] if found else None


def resume_together(
    folders: Sequence[RunFolder],
    gan: GAN,
    descriptions: Sequence[Mapping[str, Any]],
    say: Callable[[str], None],
) -> list[Resumed] | None:
    """`resume_from` for runs of one GAN that go on as one: the latest step all have a whole checkpoint of.

    None to begin all of them anew. For arguments and errors see there.
    """
    runs = list(zip(folders, descriptions, strict=True))
    earlier = [_refuse_another(folder, description) for folder, description in runs]
    paths = [{step_of(path): path for path in folder.checkpoints()} for folder in folders]
    for step in sorted(set.intersection(*map(set, paths)), reverse=True):
        try:
            found = [
                _read(folder, its[step], gan, description)
                for (folder, description), its in zip(runs, paths, strict=True)
            ]
        except DamagedError as error:
            say(f"{error}: going on from the one before")
            continue
        for folder in folders:
            _forget_what_came_after(folder, step)
        return found
    for folder, manifest in zip(folders, earlier, strict=True):
        if manifest.get("status") == "finished":
            raise UserError(f"{folder.path} has no checkpoint left to go on from: --overwrite trains it anew")
    where = f"{folders[0].path} has no checkpoint"
    if len(folders) > 1:
        where = f"{folders[0].path} to {folders[-1].path} have no checkpoint in common"
    say(f"{where} to go on from: beginning with the first step")
    for folder in folders:
        _forget_what_came_after(folder, -1)
    return None


def tidy(folder: RunFolder) -> None:
    """Remove what a process has left that was killed in its last instant, when all was written.

    Raises:
        UserError: another process is running in the folder.
        OSError: it cannot be written.
    """
    with Lock(folder.path):
        remove_unfinished(folder.path)


def what_ran(path: Path) -> dict[str, Any]:
    """The manifest of a run, given its folder or the manifest itself.

    Where a folder's manifest is missing or damaged, what its last whole checkpoint says of the run.

    Raises:
        UserError: neither is there, or it is of another version of ganjax.
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
    raise damaged or UserError(f"{path} has neither a manifest nor a checkpoint that can be read: train anew")


def _current(manifest: dict[str, Any], path: Path) -> dict[str, Any]:
    if manifest.get("schema", MANIFEST_SCHEMA) < MANIFEST_SCHEMA:
        raise UserError(
            f"{path} is a run of an older ganjax: `ganjax sample` and `explore` read it, but it can be "
            "neither resumed nor reproduced"
        )
    return manifest


def _refuse_another(folder: RunFolder, description: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest of the run says; nothing where it is missing or damaged."""
    earlier = _current(earlier_manifest(folder), folder.path)
    other = mismatch(description, earlier) if earlier else None
    if other:
        raise UserError(f"{folder.path} is another run: {other}")
    if earlier.get("status") == "diverged":
        raise UserError(f"{folder.path} diverged, and would again: {earlier.get('reason')}")
    return earlier


def _read(folder: RunFolder, path: Path, gan: GAN, description: Mapping[str, Any]) -> Resumed:
    checkpoint, state = _whole(path, gan, description)
    if "diverged" in checkpoint.record:
        raise DamagedError(f"{path} is of no use: the run diverged behind it")
    try:
        record = Record.from_json(checkpoint.record["written"])
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(
            f"{path} is no checkpoint of ganjax: what it says was written is {error}"
        ) from error
    best = None
    if record.best:
        best_path = folder.best_path(record.best["step"])
        if not best_path.exists():
            raise DamagedError(f"{path} is of no use: {best_path.name} is missing")
        _, best = _whole(best_path, gan, description)
    missing = record.missing_from(folder)
    if missing:
        raise DamagedError(f"{path} is of no use: {missing}")
    return Resumed(step_of(path), state, record, checkpoint.witnesses, best)


def _whole(path: Path, gan: GAN, description: Mapping[str, Any]) -> tuple[Checkpoint, GANState]:
    checkpoint = checkpoints.read(path)
    try:
        its, step = checkpoint.record["run"], checkpoint.record["step"]
        sha256 = checkpoint.record["state_sha256"]
    except KeyError as error:
        raise DamagedError(f"{path} is no checkpoint of ganjax: its record lacks {error}") from error
    if step != step_of(path) or sha256 != arrays_digest(checkpoint.arrays):
        raise DamagedError(f"{path} is damaged: its record is of another state")
    other = mismatch(description, its) if isinstance(its, Mapping) else "it does not say of which"
    if other:
        raise UserError(f"{path} is of another run: {other}")
    try:
        return checkpoint, arrays_to_state(gan, checkpoint.arrays)
    except ValueError as error:
        raise UserError(f"{path} is of another network: {error}") from error


def _forget_what_came_after(folder: RunFolder, step: int) -> None:
    for path in [*folder.pictures(), *folder.checkpoints(), *folder.best_states()]:
        if step_of(path) > step:
            path.unlink()
