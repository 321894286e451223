"""Finished runs on the disk: a line of JSON each, and its samples, so that no run is made twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "runs.jsonl"

Row = dict[str, Any]


class Kept:
    """The runs in a folder, by `Group.identity`: another setting is another run, and is made beside it.

    Args:
        folder: made if need be.
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
                    continue  # what a killed process has left of a line
                self._rows[row["identity"]] = row  # a later line is a later measure

    def find(self, identity: str) -> Row | None:
        """The run of this identity, if it and its samples are there."""
        row = self._rows.get(identity)
        return row if row and self.samples(identity).exists() else None

    def forget(self, identity: str) -> None:
        """Let this run be made again."""
        self._rows.pop(identity, None)

    def samples(self, identity: str) -> Path:
        """The .npz file of a run's samples."""
        return self.folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.npz"

    def add(self, identity: str, row: Mapping[str, Any]) -> Row:
        """Keep a run whose samples are in their file already."""
        kept = {"identity": identity, **row}
        with (self.folder / FILE).open("a+b") as file:
            if file.tell():  # a line that was cut off must not take this one with it
                file.seek(-1, 2)
                file.write(b"" if file.read(1) == b"\n" else b"\n")
            file.write(json.dumps(kept).encode() + b"\n")
        self._rows[identity] = kept
        return kept
