"""What a manifest says of a run: what was asked for, on what it ran, and when."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from ganjax.runs.run_folder import RunFolder
from ganjax.system.environment import differences, environment
from ganjax.system.errors import DamagedError, UserError
from ganjax.system.progress import Clock

# Settings that say where things lie and how they are reached: another machine has others.
PLACES = ("data", "cache_dir", "offline")
# What is said of a run's data and not compared: the same pictures may have been downloaded elsewhere, or have
# had other files beside them.
NOT_COMPARED = ("origin", "skipped", "skipped_files")


def describe(experiment: Any, key: jax.Array, data: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a run the run it is, as JSON values: equal descriptions give equal bits.

    Args:
        experiment: a dataclass with a `name` and a `gan`, whose latent distribution is a dataclass too.
        key: the run's PRNG key, from which the initial weights and every step draw.
        data: what the experiment says of its real data.
    """
    settings = {field.name: getattr(experiment, field.name) for field in dataclasses.fields(experiment)}
    values = {
        "experiment": experiment.name,
        "settings": settings,
        "latent": dataclasses.asdict(experiment.gan.latent),
        "key": jax.random.key_data(key).tolist(),
        "data": dict(data),
    }
    return json.loads(json.dumps(values, default=str))  # as it reads when it comes back from a file


def mismatch(mine: Mapping[str, Any], its: Mapping[str, Any]) -> str | None:
    """The first thing in which two descriptions are of different runs, in words; None where they agree."""
    if mine.get("population") != its.get("population"):
        return f"it is {company(its)}, not {company(mine)}"
    for part, value in mine.items():
        other = its.get(part)
        if part == "settings" and isinstance(other, Mapping):
            for name in value.keys() | other.keys():
                if name not in PLACES and value.get(name) != other.get(name):
                    return f"its {name} is {other.get(name)!r}, not {value.get(name)!r}"
        elif part == "data" and isinstance(other, Mapping):
            if _compared(value) != _compared(other):
                return f"its data are {_data(other)}, and these are {_data(value)}"
        elif value != other:
            return f"its {part} is {other!r}, not {value!r}"
    return None


def population_of(description: Mapping[str, Any]) -> list[int]:
    """Seeds of the population a run is a member of, in their order; none for a run of its own.

    Raises:
        UserError: what is said of a population makes no sense.
    """
    population = description.get("population")
    if population is None:
        return []
    seeds = population.get("seeds") if isinstance(population, Mapping) else None
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise UserError(
            f"a population is named by its seeds, not by {population!r}: the manifest was changed"
        )
    return seeds


def company(description: Mapping[str, Any]) -> str:
    """Whether a run is one of a population, and of which, in words."""
    seeds = population_of(description)
    if not seeds:
        return "a run of its own"
    command = f"ganjax train {description.get('experiment')} --seeds {seeds_as_text(seeds)}"
    return f"one of the population `{command}`"


def seeds_as_text(seeds: Sequence[int]) -> str:
    """Seeds as `--seeds` takes them: `0:10` where they follow one another, else `0,3,7`."""
    if len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]}:{seeds[-1] + 1}"
    return ",".join(map(str, seeds))


class Manifest:
    """The manifest of a run that is going on. Times, dates and process numbers stand in its sessions alone.

    Attributes:
        folder: the run's.
        values: what `manifest.json` says.
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
        """Open a session of this process: steps `first` to `last` of the run that `description` is of.

        Args:
            say: told where this process runs on something else than the one before.
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
            say(f"this run began elsewhere, so it may end with other bits: {'; '.join(changes)}")
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
        """So many steps are done, and these digests are known; written when there is a new one."""
        new = digests != self.values["digests"]
        self.values |= {"steps_done": step, "digests": dict(digests)}
        if new:
            self.write()

    def end(self, status: str, clock: Clock, **values: Any) -> None:
        """Close the session, and with it the run for now."""
        self.values["sessions"][-1] |= {"ended": _now(), "seconds": clock.seconds}
        self.values |= {"status": status, **values}
        self.write()

    def write(self) -> None:
        self.folder.write_manifest(self.values)


def earlier_manifest(folder: RunFolder) -> dict[str, Any]:
    """What the manifest of a run says that is resumed; nothing where it is missing or damaged."""
    try:
        return folder.read_manifest() if folder.manifest_path.exists() else {}
    except DamagedError:
        return {}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _compared(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in NOT_COMPARED}


def _data(data: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in data.items())


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
