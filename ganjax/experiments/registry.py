"""Experiments by name, and from the manifest of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ganjax.experiments.base import Experiment
from ganjax.experiments.cartoon import Cartoon, CartoonFull, OriginalCartoon
from ganjax.experiments.landscapes import LANDSCAPES
from ganjax.experiments.published import PUBLISHED
from ganjax.experiments.toy import OriginalToy
from ganjax.system.errors import UserError

_ALL: tuple[type[Experiment], ...] = (
    Cartoon,
    CartoonFull,
    OriginalCartoon,
    OriginalToy,
    *LANDSCAPES.values(),
    *PUBLISHED.values(),
)
EXPERIMENTS: dict[str, type[Experiment]] = {experiment.name: experiment for experiment in _ALL}


def restore(manifest: Mapping[str, Any], data: str | None = None) -> Experiment:
    """The experiment of a run.

    Args:
        manifest: content of `manifest.json`.
        data: where the pictures are now, if they have been moved.

    Raises:
        UserError: this ganjax has no such experiment, or it has other settings, or a value is out of range.
    """
    name, settings = manifest.get("experiment"), manifest.get("settings")
    kind = EXPERIMENTS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(settings, Mapping):
        raise UserError(
            f"this run's experiment is {name!r}, which this ganjax does not have: "
            f"choose a run of {', '.join(EXPERIMENTS)}"
        )
    fields = {field.name for field in dataclasses.fields(kind)}
    odd = sorted(fields ^ settings.keys())
    if odd:
        raise UserError(
            f"this run of {name} is of another version of ganjax: only one has the setting {odd[0]!r}"
        )
    if data is not None and "data" not in fields:
        raise UserError(f"--data: {name} generates its data itself, so leave it out")
    return kind(**{**settings, **({} if data is None else {"data": data})})
