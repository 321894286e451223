"""`ganjax reproduce RUN`: train a run again, and check whether the results are bit-identical."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ganjax.cli.libraries import import_jax
from ganjax.cli.parsing import parse
from ganjax.cli.running import Process, machine_errors_in_one_line, prepare_like
from ganjax.experiments.ranges import Range, check_settings
from ganjax.system.errors import UserError

if TYPE_CHECKING:
    from ganjax.training.reproduce import Comparison

DIFFERENT = 3  # the exit code
SHOWN = 5  # arrays whose differences are printed


@dataclasses.dataclass(frozen=True)
class Reproduce:
    """Train a run again and compare the state with the digests in its manifest.

    $ ganjax reproduce runs/ring-0
    $ ganjax reproduce manifest.json --steps 100
    $ ganjax reproduce runs/ring-0 --tolerance 1e-3

    Exits with 0 if everything is identical (or within --tolerance), with 3 at the first difference, and with
    2 if there is nothing to compare with. Writes no files.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Run folder, or only its manifest.json; with the folder, the arrays that differ are shown, too."""
    steps: Annotated[int | None, Range(0, 2**31 - 1)] = None
    """Train at most this many steps."""
    tolerance: Annotated[float, Range(0, math.inf, "[)")] = 0.0
    """Largest relative difference to accept in any array, for another machine say; needs the run folder."""
    data: str | None = None
    """Where its pictures are now, if they have been moved."""

    def __post_init__(self) -> None:
        check_settings(self)


def run(words: Sequence[str]) -> int:
    """Run `ganjax reproduce` with these words; returns the exit code."""
    asked = parse(Reproduce, words, "ganjax reproduce")
    import_jax()

    from ganjax.experiments.registry import restore
    from ganjax.runs.resuming import manifest_of
    from ganjax.runs.run_folder import RunFolder
    from ganjax.system.environment import differences, environment
    from ganjax.training.reproduce import expected_of, reproduce

    manifest = manifest_of(asked.run)
    folder = RunFolder(asked.run) if asked.run.is_dir() else None
    expected = expected_of(manifest, folder, asked.steps)
    if asked.tolerance and not expected.witnesses:
        raise UserError(f"--tolerance needs a run folder with a checkpoint, and {asked.run} has none")
    experiment: Any = restore(manifest, asked.data)
    prepare_like(manifest, experiment, Process())
    print(f"{experiment.name}, seed {experiment.seed}: {max(expected.digests)} steps", file=sys.stderr)
    seen: list[Comparison] = []
    with machine_errors_in_one_line(experiment, None):
        for comparison in reproduce(experiment, manifest, expected):
            print(f"step {comparison.step:>8}  {_said(comparison)}", flush=True)
            if not comparison.within(asked.tolerance):
                elsewhere = differences(manifest.get("environment", {}), environment())
                _say_difference(comparison, seen, elsewhere)
                return DIFFERENT
            seen.append(comparison)
    where = f"at all {len(seen)} digests, up to step {seen[-1].step}"
    if all(comparison.identical for comparison in seen):
        print(f"bit-identical {where}")
    else:
        print(f"within {max(comparison.largest or 0.0 for comparison in seen):.2g} {where}")
    return 0


def _said(comparison: Comparison) -> str:
    if comparison.identical:
        return "identical"
    return f"different by {comparison.largest:.2g}" if comparison.largest else "different"


def _say_difference(comparison: Comparison, seen: list[Comparison], elsewhere: list[str]) -> None:
    same = [before.step for before in seen if before.identical]
    before = f"identical up to step {same[-1]}" if same else "the initial states differ already"
    what = "difference" if len(same) == len(seen) else "difference beyond --tolerance"
    print(f"first {what} at step {comparison.step}: {before}")
    if comparison.differences is None:
        print("the size of the difference is unknown: that needs the run folder, not only its manifest")
    elif not comparison.largest:
        print("it is not in the values that a run stores of each array, but in others")
    else:
        ranked = sorted(comparison.differences.items(), key=lambda item: -item[1])
        for path, value in ranked[:SHOWN]:
            print(f"  {value:.2g}  {path}")
        if len(ranked) > SHOWN:
            print(f"  and {len(ranked) - SHOWN} more arrays")
    print(f"differences of the environment: {'; '.join(elsewhere) or 'none that the manifest records'}")
