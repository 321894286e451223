"""Digests of what a run has written so far: stored in checkpoints, and checked when a run is resumed."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ganjax.runs.run_folder import RunFolder
from ganjax.system.errors import naming


@dataclasses.dataclass
class Record:
    """What a run's folder contains at a step.

    Attributes:
        metrics: length in bytes and SHA-256 of metrics.csv, without `end`.
        end: last row of metrics.csv if it is there only because the run ended at that step (not a multiple of
            `log_every`), otherwise "". It is removed when the run is made longer.
        pictures: SHA-256 of the pictures in samples/ by name, without `final.png`.
        digests: of the state, by step (`ganjax.runs.digests`).
        best: step and value of the best state so far, if the experiment selects one.
    """

    metrics: tuple[int, str] = (0, hashlib.sha256().hexdigest())
    end: str = ""
    pictures: dict[str, str] = dataclasses.field(default_factory=dict)
    digests: dict[str, str] = dataclasses.field(default_factory=dict)
    best: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            "metrics": {"bytes": self.metrics[0], "sha256": self.metrics[1], "end": self.end},
            "pictures": dict(self.pictures),
            "digests": dict(self.digests),
            "best": self.best,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Record:
        """The record from the values that `as_json` returned.

        Raises:
            KeyError, TypeError, ValueError: these are not the values of a record.
        """
        metrics, best = values["metrics"], values["best"]
        pictures = {str(name): str(digest) for name, digest in dict(values["pictures"]).items()}
        if not all(re.fullmatch(r"step_[0-9]+\.png", name) for name in pictures):
            raise ValueError("a picture without a step in its name")
        return cls(
            metrics=(_natural(metrics["bytes"]), str(metrics["sha256"])),
            end=str(metrics["end"]),
            pictures=pictures,
            digests={str(step): str(digest) for step, digest in dict(values["digests"]).items()},
            best=None if best is None else _best(best["step"], best["score"], best["value"]),
        )

    def missing_from(self, folder: RunFolder) -> str | None:
        """What is missing from `folder` or has changed, in words; None if nothing is."""
        size, digest = self.metrics
        if sha256_of(folder.metrics_path, size) != digest:
            return "the beginning of metrics.csv was changed"
        for name, expected in self.pictures.items():
            if sha256_of(folder.samples / name) != expected:
                return f"samples/{name} is missing or changed"
        return None


def sha256_of(path: Path, size: int | None = None) -> str | None:
    """SHA-256 of a file, or of its first `size` bytes; None if the file is missing or shorter."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return hashlib.sha256().hexdigest() if size == 0 else None
    if size is not None and len(content) < size:
        return None
    return hashlib.sha256(content[:size]).hexdigest()


class MetricsWriter:
    """Writes metrics.csv: a header, then one row per logged step, flushed at once.

    Args:
        path: the file.
        size: number of existing bytes to keep; the rest is cut off.
        end: what to append to them: see `Record.end`.

    Attributes:
        end: rows written only because the run ends: see `Record.end`.
    """

    def __init__(self, path: Path, size: int = 0, end: str = "") -> None:
        self.path, self.end = path, end
        self._file: IO[bytes] = path.open("r+b" if path.exists() else "w+b")
        kept = self._file.read(size)
        self._file.seek(len(kept))
        self._file.truncate()
        self._digest, self._size = hashlib.sha256(kept), len(kept)
        self._names = kept.split(b"\n", 1)[0].decode().split(",") if kept else []
        self._append(end)

    def secure(self) -> tuple[int, str]:
        """Wait until all rows are on disk. Returns length and SHA-256 of the file without `end`."""
        with naming(self.path):
            os.fsync(self._file.fileno())
        return self._size, self._digest.hexdigest()

    def write(self, row: dict[str, float], *, ends: bool = False) -> None:
        """Append one row. The names of the first row are the header.

        Args:
            row: numbers by name.
            ends: it is written only because the run ends here.
        """
        header = "" if self._names else ",".join(row) + "\n"
        self._names = self._names or list(row)
        lines = header + ",".join(_number(row[name]) for name in self._names) + "\n"
        self._append(lines)
        if ends:
            self.end += lines
        else:
            self._digest.update(lines.encode())
            self._size += len(lines.encode())

    def close(self) -> None:
        with naming(self.path):
            self._file.close()

    def _append(self, lines: str) -> None:
        with naming(self.path):
            self._file.write(lines.encode())
            self._file.flush()


def _best(step: Any, score: Any, value: Any) -> dict[str, Any]:
    if type(value) is not float:
        raise ValueError(f"{value!r} is not a number")
    return {"step": _natural(step), "score": str(score), "value": value}


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _number(value: float) -> str:
    # Nine significant digits are enough to restore every float32 exactly.
    return str(value) if isinstance(value, int) else f"{value:.9g}"
