"""What a run's folder holds that can be looked at. Whatever is missing or odd there is left out."""

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
    """A run, as it lies there.

    Attributes:
        folder: where.
        manifest: what its manifest says.
        metrics: columns of metrics.csv, float64 `(rows,)`; empty where nothing was logged.
        frames: step and path of the pictures on the way.
        evaluation: what evaluation.json says; empty where there is none.
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
        """A picture of this name, if it is there, and nowhere else than in the folder."""
        path = self.folder / name
        inside = path.resolve().is_relative_to(self.folder.resolve())
        return path if inside and path.is_file() else None


def read_run(folder: str | os.PathLike[str], manifest: Mapping[str, Any] | None = None) -> Run:
    """Read what is to be seen of a run.

    Args:
        folder: the run's.
        manifest: what its manifest is about to say, as at the end of training. An evaluation that lies there
            is then one of an earlier state, and not read.

    Raises:
        UserError: there is no manifest.json there, or none that can be read.
    """
    folder = Path(folder)
    found = mapping(_json(folder / "manifest.json")) if manifest is None else manifest
    if not found:
        raise UserError(f"there is no run in {folder}: no manifest.json that can be read")
    evaluation = {} if manifest is not None else mapping(_json(folder / "evaluation.json"))
    generator = mapping(found.get("models")).get("generator.keras")
    # Made longer since, a run is another than the one that was evaluated.
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
    """`value` if it is text, else none of it."""
    return value if isinstance(value, str) else ""


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _frames(samples: Path) -> list[tuple[int, Path]]:
    found = [(re.fullmatch(r"step_([0-9]+)\.png", path.name), path) for path in samples.glob("step_*.png")]
    return sorted((int(match[1]), path) for match, path in found if match)
