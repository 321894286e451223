"""What a run has written so far, by digest: checkpoints carry it; resuming compares the folder with it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ganjax.training.run_folder import RunFolder


@dataclasses.dataclass
class Record:
    """What stands in a run's folder at a step.

    Attributes:
        metrics: length in bytes and SHA-256 of metrics.csv.
        pictures: SHA-256 of the pictures in samples/ by name, `final.png` aside.
        digests: of the state, at the named steps (`training.digests`).
        best: step and value of the best state so far, where the experiment selects one.
    """

    metrics: tuple[int, str] = (0, hashlib.sha256().hexdigest())
    pictures: dict[str, str] = dataclasses.field(default_factory=dict)
    digests: dict[str, str] = dataclasses.field(default_factory=dict)
    best: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON values; equal records give equal values."""
        return {
            "metrics": {"bytes": self.metrics[0], "sha256": self.metrics[1]},
            "pictures": dict(self.pictures),
            "digests": dict(self.digests),
            "best": self.best,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Record:
        """The record that `as_json` gave these values of.

        Raises:
            KeyError, TypeError: these are not values of a record.
        """
        metrics = values["metrics"]
        return cls(
            metrics=(int(metrics["bytes"]), str(metrics["sha256"])),
            pictures=dict(values["pictures"]),
            digests=dict(values["digests"]),
            best=values["best"],
        )

    def missing_from(self, folder: RunFolder) -> str | None:
        """What of all this is no longer in `folder`, in words; None if everything is."""
        size, digest = self.metrics
        if sha256_of(folder.metrics_path, size) != digest:
            return "metrics.csv no longer begins as it did then"
        for name, expected in self.pictures.items():
            if sha256_of(folder.samples / name) != expected:
                return f"samples/{name} is missing or changed"
        return None


def sha256_of(path: Path, size: int | None = None) -> str | None:
    """SHA-256 of a file, or of its first `size` bytes; None where there is no such file or it is shorter."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return hashlib.sha256().hexdigest() if size == 0 else None
    if size is not None and len(content) < size:
        return None
    return hashlib.sha256(content[:size]).hexdigest()


class MetricsWriter:
    """Appends rows to metrics.csv: a header, then one flushed row per logged step.

    Args:
        path: the file.
        size: how many of the bytes that are there already belong to the run; the rest is cut off.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self._file: IO[bytes] = path.open("r+b" if path.exists() else "w+b")
        kept = self._file.read(size)
        self._file.seek(len(kept))
        self._file.truncate()
        self._digest, self._size = hashlib.sha256(kept), len(kept)
        self._names = kept.split(b"\n", 1)[0].decode().split(",") if kept else []

    def secure(self) -> tuple[int, str]:
        """Wait until all rows are on the disk; returns length in bytes and SHA-256 of the file."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._size, self._digest.hexdigest()

    def write(self, row: dict[str, float]) -> None:
        """Append one row; the first row's names are the header."""
        if not self._names:
            self._names = list(row)
            self._append(",".join(self._names))
        self._append(",".join(_number(row[name]) for name in self._names))
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _append(self, line: str) -> None:
        content = line.encode() + b"\n"
        self._file.write(content)
        self._digest.update(content)
        self._size += len(content)


def rows_on_rhythm(content: bytes, log_every: int) -> int:
    """How many bytes of a metrics.csv are left without a last row that is there only because a run ended."""
    last = content[:-1].rfind(b"\n") + 1
    step = content[last:].split(b",", 1)[0]
    return last if step.isdigit() and int(step) % log_every else len(content)


def _number(value: float) -> str:
    # Nine significant digits give back every float32 exactly.
    return str(value) if isinstance(value, int) else f"{value:.9g}"
