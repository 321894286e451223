"""The folder a run leaves behind, and how nothing in it is ever half-written.

runs/<name>/
    manifest.json        what was run, with what, and how it ended
    metrics.csv          one row per logged step
    samples/             pictures: step_*.png, final.png
    film.gif, curves.png, walks.png (walks through the latent space, of pictures)
    checkpoints/         whole states: step_*.npz, and best_*.npz where the experiment selects one
    generator.keras, discriminator.keras
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ganjax.system.errors import UNFINISHED, DamagedError, UserError
from ganjax.system.files import atomic, write_keras
from ganjax.system.lock import Lock

MANIFEST_SCHEMA = 2


class RunFolder:
    """Names of a run's files, and atomic ways to write them.

    Attributes:
        path: the folder.
        replaces: whether a run that is there is to give way to a new one.
    """

    def __init__(self, path: str | os.PathLike, *, replaces: bool = False) -> None:
        self.path, self.replaces = Path(path), replaces

    @classmethod
    def create(cls, path: str | os.PathLike, *, overwrite: bool = False) -> RunFolder:
        """Make a folder for a run, or take over one without a file, left by a run that never started.

        With `overwrite` it may hold a run, which stays there until the new one has its data (`make_room`).

        Raises:
            UserError: something is there already and `overwrite` is False, or it is no run, or another
                process is running there, or the folder cannot be made or written.
        """
        folder = cls(path, replaces=overwrite)
        try:
            if not folder.is_empty() and not folder.manifest_path.exists():
                raise UserError(f"{path} {folder._what_is_there()}; or choose another --out")
            folder.path.mkdir(parents=True, exist_ok=True)
            with Lock(folder.path):
                folder._refuse_what_is_there()
                tempfile.TemporaryFile(dir=folder.path).close()  # now, not after an hour of training
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot write to {path}: {reason}; choose another --out") from error
        return folder

    def make_room(self) -> None:
        """Remove a run that is there, if it is to be replaced. The folder must be locked.

        Raises:
            UserError: it is not to be replaced.
            OSError: it cannot be removed.
        """
        if self.is_empty():
            return
        self._refuse_what_is_there()
        # The manifest goes last: what is killed on the way stays a run, and can be deleted again.
        for item in sorted(self.path.iterdir(), key=lambda item: item == self.manifest_path):
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            elif item.name != Lock.NAME:
                item.unlink()

    def _refuse_what_is_there(self) -> None:
        if not self.is_empty() and not self.replaces:
            raise UserError(f"{self.path} {self._what_is_there()}; or choose another --out")
        if not self.is_empty():
            self.read_manifest()  # only what is surely a run is deleted

    def _what_is_there(self) -> str:
        """What is in the folder and what can be done with it, in words."""
        if not self.manifest_path.exists():
            if self.checkpoints():
                return f"holds a run without its manifest: `ganjax resume {self.path}` goes on with it"
            return "exists and is not a run of ganjax: choose a folder of its own"
        manifest = self.read_manifest()
        status, done, last = (manifest.get(name) for name in ("status", "steps_done", "steps"))
        if manifest["schema"] < MANIFEST_SCHEMA:
            return "holds a run of an older ganjax: --overwrite starts it anew"
        if status == "finished":
            more = f"`ganjax resume {self.path} --steps N` makes it longer, "
            more = "" if "population" in manifest else more
            return f"holds a finished run: {more}--overwrite starts it anew"
        if status == "diverged":
            return "holds a run that diverged: --overwrite starts it anew"
        return (
            f"holds a run that is not finished ({done} of {last} steps): --resume goes on with it, "
            "--overwrite starts it anew"
        )

    @classmethod
    def open(cls, path: str | os.PathLike) -> RunFolder:
        """An existing run.

        Raises:
            UserError: there is none at `path`.
        """
        folder = cls(path)
        if not folder.manifest_path.exists():
            hint = f": `ganjax resume {path}` makes it anew from a checkpoint" if folder.checkpoints() else ""
            raise UserError(f"there is no run in {path}: no manifest.json{hint}")
        return folder

    def is_empty(self) -> bool:
        """Whether there is no whole file in it, or it is not there."""
        unwritten = (Lock.NAME, UNFINISHED)
        return all(item.is_dir() or item.name.startswith(unwritten) for item in self.path.rglob("*"))

    @property
    def manifest_path(self) -> Path:
        return self.path / "manifest.json"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    def picture_path(self, step: int) -> Path:
        return self.samples / f"step_{step:07d}.png"

    def checkpoint_path(self, step: int) -> Path:
        return self.path / "checkpoints" / f"step_{step:07d}.npz"

    def best_path(self, step: int) -> Path:
        return self.path / "checkpoints" / f"best_{step:07d}.npz"

    def checkpoints(self) -> list[Path]:
        """The checkpoints that are there, in the order of their steps."""
        return _by_step(self.path, "checkpoints/step_*.npz")

    def best_states(self) -> list[Path]:
        """The best states that are there, in the order of their steps."""
        return _by_step(self.path, "checkpoints/best_*.npz")

    def pictures(self) -> list[Path]:
        """The pictures of the run's steps, in their order."""
        return _by_step(self.path, "samples/step_*.png")

    def model_path(self, role: str) -> Path:
        """Path of the `"generator"` or `"discriminator"` as a Keras file."""
        return self.path / f"{role}.keras"

    def model_digests(self) -> dict[str, str]:
        """SHA-256 of the models' files that are there, by name."""
        paths = [self.model_path(role) for role in ("generator", "discriminator")]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.exists()}

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write `manifest.json`, replacing the one before."""
        text = json.dumps({"schema": MANIFEST_SCHEMA, **manifest}, indent=2) + "\n"
        with atomic(self.manifest_path) as temporary:
            temporary.write_text(text)

    def read_manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            DamagedError: it is no manifest of a run.
            UserError: it is of a newer schema than this version of ganjax knows.
        """
        return read_manifest(self.manifest_path)

    def write_model(self, role: str, model: Any) -> None:
        """Write a Keras model to its file. Equal models give equal bytes: the date Keras adds is left out."""
        write_keras(self.model_path(role), model)


def read_manifest(path: Path) -> dict[str, Any]:
    """What a manifest says; see `RunFolder.read_manifest`."""
    try:
        manifest = json.loads(path.read_text())
        schema = manifest["schema"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{path} cannot be read: {error}") from error
    if not isinstance(schema, int):
        raise DamagedError(f"{path} cannot be read: its schema is no number")
    if schema > MANIFEST_SCHEMA:
        raise UserError(f"{path} has schema {schema}, newer than this ganjax: update ganjax")
    return manifest


def step_of(path: Path) -> int:
    """The step in the name of a checkpoint or picture."""
    return int(path.stem.split("_")[1])


def _by_step(folder: Path, pattern: str) -> list[Path]:
    return sorted(
        (path for path in folder.glob(pattern) if re.fullmatch(r"[a-z]+_[0-9]+", path.stem)), key=step_of
    )
