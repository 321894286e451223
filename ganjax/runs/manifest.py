"""What a manifest says about a run: what was asked for, by which command, on which machine, and when."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ganjax.runs.fingerprint import difference
from ganjax.runs.run_folder import RunFolder
from ganjax.system.environment import differences, environment
from ganjax.system.errors import DamagedError, UserError
from ganjax.system.progress import Clock

# Settings that say where files are and how they are reached: these differ between machines.
PLACES = ("data", "cache_dir", "offline")
# What is recorded of a run's data but not compared: the same pictures may have been downloaded elsewhere, or
# other files may have been beside them.
NOT_COMPARED = ("origin", "skipped", "skipped_files")


def describe(
    experiment: Any, key: jax.Array, data: Mapping[str, Any], fingerprint: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Everything that determines a run, as JSON values: equal descriptions give equal bits.

    Args:
        experiment: a dataclass with a `name` and a `gan`.
        key: PRNG key of the run, from which the initial weights and every step are drawn.
        data: the experiment's description of its real data.
        fingerprint: of the GAN and the data, from `ganjax.runs.fingerprint`.
    """
    settings = {field.name: getattr(experiment, field.name) for field in dataclasses.fields(experiment)}
    values = {
        "experiment": experiment.name,
        "settings": settings,
        "latent": describe_latent(experiment.gan.latent),
        "key": jax.random.key_data(key).tolist(),
        "data": dict(data),
    }
    if fingerprint:
        values["fingerprint"] = fingerprint
    return json.loads(json.dumps(values, default=_without_address))  # as it will be read from a file


def describe_latent(latent: Any) -> dict[str, Any]:
    """Class and fields of a latent distribution; for a function, only its name."""
    kind = latent if hasattr(latent, "__qualname__") else type(latent)
    fields = dataclasses.fields(latent) if dataclasses.is_dataclass(latent) else ()
    values = {field.name: getattr(latent, field.name) for field in fields}
    return {"class": f"{kind.__module__}.{kind.__qualname__}", **values}


def mismatch(mine: Mapping[str, Any], its: Mapping[str, Any]) -> str | None:
    """The first difference between two descriptions of runs, in words; None if they agree."""
    if mine.get("population") != its.get("population"):
        return f"it is {describe_population(its)}, not {describe_population(mine)}"
    for part, value in mine.items():
        other = its.get(part)
        if part == "fingerprint":
            if changed := difference(value, other):
                return changed
            continue
        if part == "settings" and isinstance(other, Mapping):
            for name in sorted(value.keys() | other.keys()):
                if name not in PLACES and value.get(name) != other.get(name):
                    return f"its {name} is {other.get(name)!r}, not {value.get(name)!r}"
        elif part == "latent" and isinstance(other, Mapping):
            if _without_class(value) != _without_class(other):
                return f"its latent is {dict(other)!r}, not {value!r}"
        elif part == "data" and isinstance(other, Mapping):
            if _compared(value) != _compared(other):
                return f"its data are {_data_in_words(other)}, not {_data_in_words(value)}"
        elif value != other:
            return f"its {part} is {other!r}, not {value!r}"
    return None


def population_of(description: Mapping[str, Any]) -> list[int]:
    """Seeds of the population that a run belongs to, in order; empty for a single run.

    Raises:
        UserError: the description of the population is not valid.
    """
    population = description.get("population")
    if population is None:
        return []
    seeds = population.get("seeds") if isinstance(population, Mapping) else None
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise UserError(
            f"the manifest was changed: a population is described by its seeds, not by {population!r}"
        )
    return seeds


def describe_population(description: Mapping[str, Any]) -> str:
    """Whether a run belongs to a population, and to which one, in words."""
    seeds = population_of(description)
    if not seeds:
        return "a single run"
    command = f"ganjax train {description.get('experiment')} --seeds {seeds_as_text(seeds)}"
    return f"a member of the population `{command}`"


def seeds_as_text(seeds: Sequence[int]) -> str:
    """Seeds in the form of `--seeds`: `0:10` if they are consecutive, else `0,3,7`."""
    if len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]}:{seeds[-1] + 1}"
    return ",".join(map(str, seeds))


def command_of(experiment: Any, seeds: Sequence[int] = ()) -> str:
    """`ganjax train NAME` with a flag for every setting that differs from its default.

    Args:
        experiment: a dataclass with a `name`.
        seeds: of the population that the run belongs to, if any.
    """
    words = ["ganjax", "train", experiment.name]
    if seeds:
        words += ["--seeds", seeds_as_text(seeds)]
    for field in dataclasses.fields(experiment):
        value, flag = getattr(experiment, field.name), field.name.replace("_", "-")
        if value is None or _equal(value, field.default) or (field.name == "seed" and seeds):
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            several = value if isinstance(value, list | tuple) else [value]
            words += [f"--{flag}", *map(str, several)]
    return shlex.join(words)


class Manifest:
    """The manifest of a run in progress. Times, dates and process numbers are in its sessions only.

    Attributes:
        folder: of the run.
        values: the content of `manifest.json`.
    """

    def __init__(self, folder: RunFolder, values: dict[str, Any]) -> None:
        self.folder, self.values = folder, values

    @classmethod
    def begin(
        cls,
        folder: RunFolder,
        description: Mapping[str, Any],
        first: int,
        last: int,
        say: Callable[[str], None],
    ) -> Manifest:
        """Begin a session: this process does steps `first` to `last` of the run described by `description`.

        Args:
            say: called with a message if this environment differs from the one in which the run began.
        """
        earlier = earlier_manifest(folder) if first else {}
        here = environment()
        before = earlier.get("environment", here)
        session: dict[str, Any] = {
            "started": _now(),
            "process": os.getpid(),
            "host": platform.node(),
            "from_step": first,
        }
        changes = differences(before, here)
        if changes:
            session["environment"] = here
            say(f"this run began in another environment, so its bits may differ: {'; '.join(changes)}")
        values = {
            **description,
            "steps": last,
            "status": "running",
            "steps_done": first,
            "environment": before,
            "digests": earlier.get("digests", {}),
            "sessions": [*earlier.get("sessions", []), session],
        }
        manifest = cls(folder, values)
        manifest.write()
        return manifest

    def note(self, step: int, digests: Mapping[str, str]) -> None:
        """Record that `step` steps are done, and the digests so far. The file is written if one is new."""
        new = digests != self.values["digests"]
        self.values |= {"steps_done": step, "digests": dict(digests)}
        if new:
            self.write()

    def end(self, status: str, clock: Clock, **values: Any) -> None:
        """End the session, with its `status` and other values."""
        self.values["sessions"][-1] |= {"ended": _now(), "seconds": clock.seconds}
        self.values |= {"status": status, **values}
        self.write()

    def write(self) -> None:
        self.folder.write_manifest(self.values)


def earlier_manifest(folder: RunFolder) -> dict[str, Any]:
    """The manifest of a run that is resumed; empty if it is missing or damaged."""
    try:
        return folder.read_manifest() if folder.manifest_path.exists() else {}
    except DamagedError:
        return {}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _compared(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in NOT_COMPARED}


def _without_class(latent: Mapping[str, Any]) -> dict[str, Any]:
    # Runs of an older ganjax did not record it, and a class may be moved or renamed.
    return {name: value for name, value in latent.items() if name != "class"}


def _without_address(value: Any) -> str:
    """What `str` says of a value, without the address of an object, which differs in each process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def _equal(value: Any, default: Any) -> bool:
    return np.array_equal(value, default) if hasattr(value, "shape") else value == default


def _data_in_words(data: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in data.items())
