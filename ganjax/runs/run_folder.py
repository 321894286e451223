"""The folder of a run: names of its files, and how they are written without ever being incomplete.

runs/<name>/
    manifest.json        what was run, on which machine, and how it ended
    metrics.csv          one row per logged step
    samples/             pictures: step_*.png, final.png
    film.gif, curves.png, walks.png (walks through the latent space, for experiments on pictures)
    checkpoints/         whole states: step_*.npz, and best_*.npz if the experiment selects one
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
        replaces: whether an existing run in it may be replaced.
    """

    def __init__(self, path: str | os.PathLike[str], *, replaces: bool = False) -> None:
        self.path, self.replaces = Path(path), replaces

    @classmethod
    def create(cls, path: str | os.PathLike[str], *, overwrite: bool = False) -> RunFolder:
        """Create a folder for a run. It may exist already if there are no files in it.

        With `overwrite` it may contain a run, which is removed when the new run has its data (`make_room`).

        Raises:
            UserError: the folder contains something that is not a run, or a run and `overwrite` is False, or
                another process is training there, or it cannot be created or written.
        """
        folder = cls(path, replaces=overwrite)
        try:
            if not folder.is_empty() and not folder.manifest_path.exists():
                raise UserError(f"{path} {folder._contents()}; or choose another --out")
            folder.path.mkdir(parents=True, exist_ok=True)
            with Lock(folder.path):
                folder._check_replaceable()
                tempfile.TemporaryFile(dir=folder.path).close()  # fail now, not after an hour of training
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot write to {path}: {reason}; choose another --out") from error
        return folder

    def make_room(self) -> None:
        """Remove an existing run, if it may be replaced. The folder must be locked.

        Raises:
            UserError: it may not be replaced.
            OSError: it cannot be removed.
        """
        if self.is_empty():
            return
        self._check_replaceable()
        # The manifest is removed last: if this is interrupted, the folder is still known to be a run.
        for item in sorted(self.path.iterdir(), key=lambda item: item == self.manifest_path):
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            elif item.name != Lock.NAME:
                item.unlink()

    def _check_replaceable(self) -> None:
        if not self.is_empty() and not self.replaces:
            raise UserError(f"{self.path} {self._contents()}; or choose another --out")
        if not self.is_empty():
            self.read_manifest()  # raises unless it is a run: nothing else is deleted

    def _contents(self) -> str:
        """What the folder contains and what can be done about it, in words."""
        if not self.manifest_path.exists():
            if self.checkpoints():
                return f"contains a run without its manifest: `ganjax resume {self.path}` continues it"
            return "exists and is not a run of ganjax: choose a new folder"
        manifest = self.read_manifest()
        status, done, last = (manifest.get(name) for name in ("status", "steps_done", "steps"))
        if manifest["schema"] < MANIFEST_SCHEMA:
            return "contains a run of an older ganjax: --overwrite replaces it"
        if status == "finished":
            more = f"`ganjax resume {self.path} --steps N` continues it, "
            more = "" if "population" in manifest else more
            return f"contains a finished run: {more}--overwrite replaces it"
        if status == "diverged":
            return "contains a run that diverged: --overwrite replaces it"
        return (
            f"contains a run that is not finished ({done} of {last} steps): --resume continues it, "
            "--overwrite replaces it"
        )

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """An existing run.

        Raises:
            UserError: there is none at `path`.
        """
        folder = cls(path)
        if not folder.manifest_path.exists():
            hint = f": `ganjax resume {path}` restores it from a checkpoint" if folder.checkpoints() else ""
            raise UserError(f"there is no run in {path}: it has no manifest.json{hint}")
        return folder

    def is_empty(self) -> bool:
        """Whether the folder is missing or has no finished files in it."""
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
        """Paths of the checkpoints, ordered by step."""
        return _by_step(self.path, "checkpoints/step_*.npz")

    def best_states(self) -> list[Path]:
        """Paths of the best states, ordered by step."""
        return _by_step(self.path, "checkpoints/best_*.npz")

    def pictures(self) -> list[Path]:
        """Paths of the pictures, ordered by step."""
        return _by_step(self.path, "samples/step_*.png")

    def model_path(self, role: str) -> Path:
        """Path of the `"generator"` or `"discriminator"` as a Keras file."""
        return self.path / f"{role}.keras"

    def model_digests(self) -> dict[str, str]:
        """SHA-256 of the model files that exist, by name."""
        paths = [self.model_path(role) for role in ("generator", "discriminator")]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.exists()}

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write `manifest.json`, replacing the previous one."""
        text = json.dumps({"schema": MANIFEST_SCHEMA, **manifest}, indent=2) + "\n"
        with atomic(self.manifest_path) as temporary:
            temporary.write_text(text)

    def read_manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            DamagedError: it is not the manifest of a run.
            UserError: its schema is newer than this version of ganjax.
        """
        return read_manifest(self.manifest_path)

    def write_model(self, role: str, model: Any) -> None:
        """Write a Keras model without the date that Keras adds, so that equal models give equal bytes."""
        write_keras(self.model_path(role), model)


def read_manifest(path: Path) -> dict[str, Any]:
    """The content of a manifest; see `RunFolder.read_manifest`."""
    try:
        manifest = json.loads(path.read_text())
        schema = manifest["schema"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{path} cannot be read: {error}") from error
    if not isinstance(schema, int):
        raise DamagedError(f"{path} cannot be read: its schema is not a number")
    if schema > MANIFEST_SCHEMA:
        raise UserError(f"{path} has schema {schema}, newer than this ganjax: update ganjax")
    return manifest


def step_of(path: Path) -> int:
    """The step in the file name of a checkpoint or picture."""
    return int(path.stem.split("_")[1])


def _by_step(folder: Path, pattern: str) -> list[Path]:
    return sorted(
        (path for path in folder.glob(pattern) if re.fullmatch(r"[a-z]+_[0-9]+", path.stem)), key=step_of
    )
