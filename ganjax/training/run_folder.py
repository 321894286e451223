"""The folder a run leaves behind, and how nothing in it is ever half-written.

runs/<name>/
    manifest.json        what was run, with what, and how it ended
    metrics.csv          one row per logged step
    samples/             pictures: step_*.png, final.png
    film.gif, curves.png
    checkpoints/         states as plain arrays: step_*.npz
    generator.keras, discriminator.keras
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ganjax.errors import UserError
from ganjax.files import atomic

MANIFEST_SCHEMA = 1


class RunFolder:
    """Names of a run's files, and atomic ways to write them.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | os.PathLike, *, overwrite: bool = False) -> RunFolder:
        """Make an empty run folder, or take over one without a file, left by a run that never started.

        Raises:
            UserError: something is there already and `overwrite` is False, or it is no run, or the folder
                cannot be made.
        """
        folder = cls(path)
        try:
            if folder.path.is_dir() and any(not item.is_dir() for item in folder.path.rglob("*")):
                if not folder.manifest_path.exists():
                    raise UserError(f"{path} exists and is not a run of ganjax: choose another --out")
                if not overwrite:
                    raise UserError(f"{path} holds a run already: give --overwrite, or another --out")
                folder.read_manifest()  # only what is surely a run is deleted
                shutil.rmtree(folder.path)
            folder.samples.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder.path).close()  # now, not after an hour of training
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot write to {path}: {reason}; choose another --out") from error
        return folder

    @classmethod
    def open(cls, path: str | os.PathLike) -> RunFolder:
        """An existing run.

        Raises:
            UserError: there is none at `path`.
        """
        folder = cls(path)
        if not folder.manifest_path.exists():
            raise UserError(f"there is no run in {path}: no manifest.json")
        return folder

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

    def model_path(self, role: str) -> Path:
        """Path of the `"generator"` or `"discriminator"` as a Keras file."""
        return self.path / f"{role}.keras"

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write `manifest.json`, replacing the one before."""
        text = json.dumps({"schema": MANIFEST_SCHEMA, **manifest}, indent=2) + "\n"
        with atomic(self.manifest_path) as temporary:
            temporary.write_text(text)

    def read_manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            UserError: it is damaged, or of a newer schema than this version of ganjax knows.
        """
        try:
            manifest = json.loads(self.manifest_path.read_text())
            schema = manifest["schema"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.manifest_path} cannot be read: {error}") from error
        if not isinstance(schema, int) or schema > MANIFEST_SCHEMA:
            raise UserError(
                f"{self.manifest_path} has schema {schema}, newer than this ganjax: update ganjax"
            )
        return manifest

    def write_arrays(self, path: Path, arrays: dict[str, np.ndarray]) -> None:
        """Write arrays by name to an `.npz` file (read back by `np.load`, without pickle)."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def write_model(self, role: str, model: Any) -> None:
        """Write a Keras model to its file."""
        with atomic(self.model_path(role)) as temporary, warnings.catch_warnings():
            # Keras's variables do not know NumPy 2's argument `copy` yet.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            model.save(temporary)


class MetricsWriter:
    """Appends rows to metrics.csv: a header, then one flushed row per logged step."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", newline="")
        self._names: list[str] = []

    def write(self, row: dict[str, float]) -> None:
        """Append one row; the first row's names are the header."""
        if not self._names:
            self._names = list(row)
            self._file.write(",".join(self._names) + "\n")
        self._file.write(",".join(_number(row[name]) for name in self._names) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _number(value: float) -> str:
    # Nine significant digits give back every float32 exactly.
    return str(value) if isinstance(value, int) else f"{value:.9g}"
