"""Reading a run's folder for a page. Whatever is missing or of a wrong type is left out."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganjax.system.errors import UserError
from ganjax.viewing.curves import read_metrics

EVALUATION_SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of a run.

    Attributes:
        folder: its folder.
        manifest: the contents of its manifest.
        metrics: columns of metrics.csv, float64 `(rows,)`; empty if nothing was logged.
        frames: steps and paths of the sample grids saved during training.
        evaluation: the contents of evaluation.json; empty if there is none.
    """

    folder: Path
    manifest: Mapping[str, Any]
    metrics: Mapping[str, np.ndarray]
    frames: Sequence[tuple[int, Path]]
    evaluation: Mapping[str, Any]

    @property
    def title(self) -> str:
        seed = self.settings.get("seed")
        return f"{self.manifest.get('experiment')}" + ("" if seed is None else f", seed {seed}")

    @property
    def settings(self) -> Mapping[str, Any]:
        return mapping(self.manifest.get("settings"))

    def picture(self, name: str) -> Path | None:
        """The path of the picture with this name, or None if it does not exist or is outside the folder."""
        path = self.folder / name
        inside = path.resolve().is_relative_to(self.folder.resolve())
        return path if inside and path.is_file() else None


def read_run(folder: str | os.PathLike[str], manifest: Mapping[str, Any] | None = None) -> Run:
    """Read the files of a run.

    Args:
        folder: its folder.
        manifest: at the end of training, the contents of the manifest that will be written. An existing
            evaluation.json is then ignored, since it belongs to an earlier state.

    Raises:
        UserError: there is no manifest.json in the folder, or it cannot be read.
    """
    folder = Path(folder)
    found = mapping(_json(folder / "manifest.json")) if manifest is None else manifest
    if not found:
        raise UserError(f"there is no run in {folder}: no manifest.json that can be read")
    evaluation = {} if manifest is not None else mapping(_json(folder / "evaluation.json"))
    generator = mapping(found.get("models")).get("generator.keras")
    # A run that was continued after its evaluation has another generator.
    if evaluation.get("schema") != EVALUATION_SCHEMA or evaluation.get("generator", generator) != generator:
        evaluation = {}
    try:
        metrics = read_metrics(folder / "metrics.csv")
    except UserError:
        metrics = {}
    return Run(folder, found, metrics, _frames(folder / "samples"), evaluation)


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings in `value`, if it is a list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """`value` if it is a number, else None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def text(value: Any) -> str:
    """`value` if it is text, else empty text."""
    return value if isinstance(value, str) else ""


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _frames(samples: Path) -> list[tuple[int, Path]]:
    found = [(re.fullmatch(r"step_([0-9]+)\.png", path.name), path) for path in samples.glob("step_*.png")]
    return sorted((int(match[1]), path) for match, path in found if match)
