"""`ganjax resume RUN`: go on with a run that was stopped, killed, or is to be longer."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from ganjax.cli.parsing import parse
from ganjax.cli.running import Process, prepare_like, run_to_its_end
from ganjax.experiments.ranges import Range, check_settings
from ganjax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Resume:
    """Go on with a run from its last checkpoint: it ends as if it had never been stopped, to the bit.

    $ ganjax resume runs/cartoon-0
    $ ganjax resume runs/cartoon-0 --steps 5000

    A population goes on as a whole: `ganjax train ring --seeds 0:10 --resume`.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    steps: Annotated[int | None, Range(1, 2**31 - 1)] = None
    """Go on to this step, also with a finished run. Learning rates and penalties stay on their schedules,
    which end where the run was first meant to end."""
    data: str | None = None
    """Where its pictures lie now, if not where they lay before."""

    def __post_init__(self) -> None:
        check_settings(self)


def run(words: Sequence[str]) -> int:
    """Run `ganjax resume` with these words; returns the exit code."""
    form = dataclasses.make_dataclass("Form", [("resume", Resume), ("process", Process)], frozen=True)
    asked = parse(form, words, "ganjax resume", Resume.__doc__)
    resume, process = asked.resume, asked.process

    from ganjax.experiments.registry import restore
    from ganjax.runs.manifest import company
    from ganjax.runs.resuming import tidy, what_ran
    from ganjax.runs.run_folder import RunFolder

    folder = RunFolder(resume.run)
    manifest = what_ran(resume.run)
    experiment = restore(manifest, resume.data)
    if "population" in manifest:
        raise UserError(f"{resume.run} is {company(manifest)}: that, with --resume, goes on with all of them")
    if manifest.get("status") == "diverged":
        raise UserError(f"{resume.run} diverged, and would again: {manifest.get('reason')}")
    done, steps = manifest.get("steps_done"), resume.steps or manifest.get("steps", experiment.steps)
    whole = manifest.get("models") == folder.model_digests()
    if manifest.get("status") == "finished" and steps == done and whole:
        with contextlib.suppress(OSError):  # a folder that cannot be written has nothing to tidy
            tidy(folder)
        print(f"{resume.run} is finished: --steps N, above {done}, makes it longer", file=sys.stderr)
        return 0
    prepare_like(manifest, experiment, process)
    return run_to_its_end(experiment, folder, process, steps=steps, resume=True)
