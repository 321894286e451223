"""Where a run goes on from: its last checkpoint that is whole, and whose files are all still there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganjax.errors import DamagedError, UserError
from ganjax.export import arrays_digest, arrays_to_state
from ganjax.gan import GAN
from ganjax.state import GANState
from ganjax.training import checkpoints
from ganjax.training.manifest import earlier_manifest, mismatch
from ganjax.training.record import Record, rows_on_rhythm
from ganjax.training.run_folder import MANIFEST_SCHEMA, RunFolder, read_manifest, step_of


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
    last: int,
    log_every: int,
    say: Callable[[str], None],
) -> Resumed | None:
    """The latest checkpoint to go on from, the folder put back to what it was then; None to begin anew.

    A checkpoint that is damaged, or some of whose files are gone or changed, is passed over and removed:
    what came after it will be made again, the same.

    Args:
        folder: the run's, locked by this process.
        gan: the game whose state it must be.
        description: of the run that is to go on, from `manifest.describe`.
        last: the step it is to end with. What goes on loses the row of metrics.csv that only its end had.
        log_every: its rhythm of rows.
        say: told what is passed over, and why.

    Raises:
        UserError: the checkpoints are of another run or network.
        OSError: the folder cannot be read or written.
    """
    found = resume_together([folder], gan, [description], last, log_every, say)
    return found[0] if found else None


def resume_together(
    folders: Sequence[RunFolder],
    gan: GAN,
    descriptions: Sequence[Mapping[str, Any]],
    last: int,
    log_every: int,
    say: Callable[[str], None],
) -> list[Resumed] | None:
    """`resume_from` for runs of one game that go on as one: the latest step all have a whole checkpoint of.

    None to begin all of them anew. For arguments and errors see there.
    """
    runs = list(zip(folders, descriptions, strict=True))
    for folder, description in runs:
        _refuse_another(folder, description)
    paths = [{step_of(path): path for path in folder.checkpoints()} for folder in folders]
    for step in sorted(set.intersection(*map(set, paths)), reverse=True):
        found = []
        for (folder, description), path in zip(runs, (its[step] for its in paths), strict=True):
            try:
                found.append(_read(folder, path, gan, description))
            except DamagedError as error:
                say(f"{error}: going on from the one before")
                path.unlink()
        if len(found) == len(runs):
            for folder, resumed in zip(folders, found, strict=True):
                _forget_what_came_after(folder, step)
                if step < last:
                    _end_on_rhythm(folder, resumed.record, log_every)
            return found
    for folder in folders:
        if not folder.checkpoints() and earlier_manifest(folder).get("status") == "finished":
            raise UserError(f"{folder.path} has no checkpoint left to go on from: --overwrite trains it anew")
    where = f"{folders[0].path} has no checkpoint"
    if len(folders) > 1:
        where = f"{folders[0].path} to {folders[-1].path} have no checkpoint in common"
    say(f"{where} to go on from: beginning with the first step")
    for folder in folders:
        _forget_what_came_after(folder, -1)
    return None


def what_ran(path: Path) -> dict[str, Any]:
    """The manifest of a run, given its folder or the manifest itself.

    Where a folder's manifest is missing or damaged, what its last whole checkpoint says of the run.

    Raises:
        UserError: neither is there, or it is of another version of ganjax.
    """
    if not path.is_dir():
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
    if manifest["schema"] < MANIFEST_SCHEMA:
        raise UserError(
            f"{path} is a run of an older ganjax: `ganjax sample` and `explore` read it, but it can be "
            "neither resumed nor reproduced"
        )
    return manifest


def _refuse_another(folder: RunFolder, description: Mapping[str, Any]) -> None:
    earlier = earlier_manifest(folder)
    other = mismatch(description, earlier) if earlier else None
    if other:
        raise UserError(f"{folder.path} is another run: {other}")


def _read(folder: RunFolder, path: Path, gan: GAN, description: Mapping[str, Any]) -> Resumed:
    checkpoint = checkpoints.read(path)
    try:
        its = checkpoint.record["run"]
        step, sha256 = checkpoint.record["step"], checkpoint.record["state_sha256"]
        record = Record.from_json(checkpoint.record["written"])
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{path} is no checkpoint of ganjax: its record lacks {error}") from error
    if step != step_of(path) or sha256 != arrays_digest(checkpoint.arrays):
        raise DamagedError(f"{path} is damaged: its record is of another state")
    other = mismatch(description, its)
    if other:
        raise UserError(f"{path} is of another run: {other}")
    missing = record.missing_from(folder)
    if missing:
        raise DamagedError(f"{path} is of no use: {missing}")
    best = None
    if record.best:
        best_path = folder.best_path(record.best["step"])
        if not best_path.exists():
            raise DamagedError(f"{path} is of no use: {best_path.name} is missing")
        try:
            best = checkpoints.read(best_path)
        except DamagedError:
            best_path.unlink()
            raise
    return Resumed(
        step=step,
        state=_state(path, gan, checkpoint.arrays),
        record=record,
        witnesses=checkpoint.witnesses,
        best=_state(path, gan, best.arrays) if best else None,
    )


def _state(path: Path, gan: GAN, arrays: Mapping[str, np.ndarray]) -> GANState:
    try:
        return arrays_to_state(gan, arrays)
    except ValueError as error:
        raise UserError(f"{path} is of another network: {error}") from error


def _forget_what_came_after(folder: RunFolder, step: int) -> None:
    for path in [*folder.pictures(), *folder.checkpoints(), *folder.best_states()]:
        if step_of(path) > step:
            path.unlink()


def _end_on_rhythm(folder: RunFolder, record: Record, log_every: int) -> None:
    content = folder.metrics_path.read_bytes()[: record.metrics[0]] if record.metrics[0] else b""
    record.metrics = (rows_on_rhythm(content, log_every), "")
