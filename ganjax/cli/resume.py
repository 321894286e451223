"""`ganjax resume RUN`: continue a run that was stopped or killed, or make it longer."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from ganjax.cli.libraries import import_jax
from ganjax.cli.parsing import parse
from ganjax.cli.running import Process, prepare_like, run_to_its_end
from ganjax.experiments.ranges import Range, check_settings
from ganjax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Resume:
    """Continue a run from its last checkpoint. The result is bit-identical to an uninterrupted run.

    $ ganjax resume runs/cartoon-0
    $ ganjax resume runs/cartoon-0 --steps 5000

    Runs that were trained together are continued together: `ganjax train ring --seeds 0:10 --resume`.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Run folder."""
    steps: Annotated[int | None, Range(1, 2**31 - 1)] = None
    """Train until this step, even if the run is finished. The schedules of learning rates and penalties stay
    the same: they end at the number of steps that the run began with."""
    data: str | None = None
    """Where its pictures are now, if they have been moved."""

    def __post_init__(self) -> None:
        check_settings(self)


def run(words: Sequence[str]) -> int:
    """Run `ganjax resume` with these words; returns the exit code."""
    form = dataclasses.make_dataclass("Form", [("resume", Resume), ("process", Process)], frozen=True)
    asked = parse(form, words, "ganjax resume", Resume.__doc__)
    resume, process = asked.resume, asked.process
    import_jax()

    from ganjax.experiments.registry import restore
    from ganjax.runs.manifest import describe_population
    from ganjax.runs.resuming import manifest_of, remove_leftovers
    from ganjax.runs.run_folder import RunFolder

    folder = RunFolder(resume.run)
    manifest = manifest_of(resume.run)
    experiment = restore(manifest, resume.data)
    if "population" in manifest:
        raise UserError(f"{resume.run} is {describe_population(manifest)}: use that command with --resume")
    if manifest.get("status") == "diverged":
        raise UserError(f"{resume.run} diverged, and would diverge again: {manifest.get('reason')}")
    done, steps = manifest.get("steps_done"), resume.steps or manifest.get("steps", experiment.steps)
    whole = manifest.get("models") == folder.model_digests()
    if manifest.get("status") == "finished" and steps == done and whole:
        with contextlib.suppress(OSError):  # in a read-only folder there is nothing to tidy
            remove_leftovers(folder)
        print(f"{resume.run} is finished: --steps N, above {done}, makes it longer", file=sys.stderr)
        return 0
    prepare_like(manifest, experiment, process)
    return run_to_its_end(experiment, folder, process, steps=steps, resume=True)
