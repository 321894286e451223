"""Finished runs on disk, each a line of JSON and a file of samples, so that no run is made twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "runs.jsonl"

Row = dict[str, Any]


class RunStore:
    """The runs in a folder, by `Group.identity`. A run with other settings has another identity.

    Args:
        folder: made if needed.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._rows: dict[str, Row] = {}
        if (folder / FILE).exists():
            for line in (folder / FILE).read_text().splitlines():
                try:
                    row = json.loads(line)
                except ValueError:
                    continue  # a part of a line, left by a killed process
                self._rows[row["identity"]] = row  # a later line replaces an earlier one

    def find(self, identity: str) -> Row | None:
        """The run with this identity, or None if it or its samples are missing."""
        row = self._rows.get(identity)
        return row if row and self.samples(identity).exists() else None

    def forget(self, identity: str) -> None:
        """Remove a run, so that it is made again."""
        self._rows.pop(identity, None)

    def samples(self, identity: str) -> Path:
        """The .npz file of a run's samples."""
        return self.folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.npz"

    def add(self, identity: str, row: Mapping[str, Any]) -> Row:
        """Save a run whose samples have already been written."""
        stored = {"identity": identity, **row}
        with (self.folder / FILE).open("a+b") as file:
            if file.tell():  # end an incomplete line first, so that this one can be read
                file.seek(-1, 2)
                file.write(b"" if file.read(1) == b"\n" else b"\n")
            file.write(json.dumps(stored).encode() + b"\n")
        self._rows[identity] = stored
        return stored
