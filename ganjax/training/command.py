"""The command that trains a run."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from typing import Any

from ganjax.training.manifest import seeds_as_text


def command_of(experiment: Any, seeds: Sequence[int] = ()) -> str:
    """`ganjax train NAME` with a flag for every setting that is not the default one.

    Args:
        experiment: a dataclass with a `name`.
        seeds: of the population it is a member of.
    """
    words = ["ganjax", "train", experiment.name]
    if seeds:
        words += ["--seeds", seeds_as_text(seeds)]
    for field in dataclasses.fields(experiment):
        value, flag = getattr(experiment, field.name), field.name.replace("_", "-")
        if value in (field.default, None) or (field.name == "seed" and seeds):
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            several = value if isinstance(value, list | tuple) else [value]
            words += [f"--{flag}", *map(str, several)]
    return shlex.join(words)
