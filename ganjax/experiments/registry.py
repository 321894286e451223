"""Experiments by name, and from the manifest of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ganjax.experiments.base import Experiment
from ganjax.experiments.cartoon import Cartoon, CartoonFull, OriginalCartoon
from ganjax.experiments.landscapes import (
    LANDSCAPES,
)
from ganjax.experiments.published import (
    PUBLISHED,
)
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
    """The experiment a run was made with.

    Args:
        manifest: what `manifest.json` says.
        data: where the pictures lie now, if not where they lay then.

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
            f"this run of {name} is of another version of ganjax: setting {odd[0]!r} is on one side only"
        )
    if data is not None and "data" not in fields:
        raise UserError(f"--data: {name} makes its data itself")
    return kind(**{**settings, **({} if data is None else {"data": data})})
