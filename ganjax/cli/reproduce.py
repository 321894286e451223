"""`ganjax reproduce RUN`: train a run again, and say whether the same bits come out."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ganjax.cli.parsing import parse
from ganjax.cli.running import Process, prepare_like, said_in_one_line
from ganjax.experiments.ranges import Range, check_settings
from ganjax.system.errors import UserError

if TYPE_CHECKING:
    from ganjax.training.reproduce import Comparison

DIFFERENT = 3  # the exit code
SHOWN = 5  # arrays whose differences are shown


@dataclasses.dataclass(frozen=True)
class Reproduce:
    """Train a run again and compare the whole state with the digests in its manifest, step by step.

    $ ganjax reproduce runs/ring-0
    $ ganjax reproduce manifest.json --steps 100
    $ ganjax reproduce runs/ring-0 --tolerance 1e-3

    Ends with 0 if all is identical (or within --tolerance), with 3 at the first difference, with 2 if there
    is nothing to compare. Writes nothing.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run, or its manifest.json alone; with the folder, which arrays differ is known, too."""
    steps: Annotated[int | None, Range(0, 2**31 - 1)] = None
    """Train so many steps at most."""
    tolerance: Annotated[float, Range(0, math.inf, "[)")] = 0.0
    """Accept relative differences up to this in every array, as across machines; needs the run's folder."""
    data: str | None = None
    """Where its pictures lie now, if not where they lay before."""

    def __post_init__(self) -> None:
        check_settings(self)


def run(words: Sequence[str]) -> int:
    """Run `ganjax reproduce` with these words; returns the exit code."""
    asked = parse(Reproduce, words, "ganjax reproduce")

    from ganjax.experiments.registry import restore
    from ganjax.runs.resuming import what_ran
    from ganjax.runs.run_folder import RunFolder
    from ganjax.system.environment import differences, environment
    from ganjax.training.reproduce import expected_of, reproduce

    manifest = what_ran(asked.run)
    folder = RunFolder(asked.run) if asked.run.is_dir() else None
    expected = expected_of(manifest, folder, asked.steps)
    if asked.tolerance and not expected.witnesses:
        raise UserError(f"--tolerance needs a run's folder with a checkpoint, and {asked.run} has none")
    experiment: Any = restore(manifest, asked.data)
    prepare_like(manifest, experiment, Process())
    print(f"{experiment.name}, seed {experiment.seed}: {max(expected.digests)} steps", file=sys.stderr)
    seen: list[Comparison] = []
    with said_in_one_line(experiment, None):
        for comparison in reproduce(experiment, manifest, expected):
            print(f"step {comparison.step:>8}  {_said(comparison)}", flush=True)
            if not comparison.within(asked.tolerance):
                elsewhere = differences(manifest.get("environment", {}), environment())
                _say_difference(comparison, seen, elsewhere)
                return DIFFERENT
            seen.append(comparison)
    where = f"at all {len(seen)} digests, up to step {seen[-1].step}"
    if all(comparison.identical for comparison in seen):
        print(f"identical to the bit {where}")
    else:
        print(f"within {max(comparison.largest or 0.0 for comparison in seen):.2g} {where}")
    return 0


def _said(comparison: Comparison) -> str:
    if comparison.identical:
        return "identical"
    return f"different by {comparison.largest:.2g}" if comparison.largest else "different"


def _say_difference(comparison: Comparison, seen: list[Comparison], elsewhere: list[str]) -> None:
    same = [before.step for before in seen if before.identical]
    before = f"up to step {same[-1]} all is" if same else "not even the initial state is"
    what = "difference" if len(same) == len(seen) else "difference beyond --tolerance"
    print(f"the first {what} is at step {comparison.step}: {before} the same")
    if comparison.differences is None:
        print("by how much is not known: the values to compare with are in the run's folder")
    elif not comparison.largest:
        print("it is in none of the values that a run keeps of each array, but in others")
    else:
        ranked = sorted(comparison.differences.items(), key=lambda item: -item[1])
        for path, value in ranked[:SHOWN]:
            print(f"  {value:.2g}  {path}")
        if len(ranked) > SHOWN:
            print(f"  and {len(ranked) - SHOWN} more arrays")
    print(f"what differs here: {'; '.join(elsewhere) or 'nothing that the manifest knows of'}")
