"""`ganjax report RUN` and `ganjax compare RUN...`: a page about one run, or about several runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from ganjax.cli.parsing import parse
from ganjax.system.errors import writing


@dataclasses.dataclass(frozen=True)
class Report:
    """Write RUN/report.html again, from the files in the run folder.

    $ ganjax report runs/cartoon-0

    Training and `ganjax evaluate` write it themselves; use this for older runs, or if the page was deleted.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Run folder."""


def run(words: Sequence[str]) -> int:
    """Run `ganjax report` with these words; returns the exit code."""
    asked = parse(Report, words, "ganjax report")

    from ganjax import viewing
    from ganjax.runs.run_folder import RunFolder

    RunFolder.open(asked.run).read_manifest()
    print(viewing.save_report(asked.run))
    return 0


@dataclasses.dataclass(frozen=True)
class Compare:
    """Compare 2 to 12 runs: final pictures, curves on common axes, the settings that differ, and scores.

    $ ganjax compare runs/ring-0 runs/ring-1
    $ ganjax compare runs/cartoon-* --out comparison

    Writes comparison.html, which needs no network, and comparison.png.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders."""
    out: Path = Path(".")
    """Folder for both files."""


def run_comparison(words: Sequence[str]) -> int:
    """Run `ganjax compare` with these words; returns the exit code."""
    asked = parse(Compare, words, "ganjax compare")

    from ganjax import viewing
    from ganjax.runs.run_folder import RunFolder

    for folder in asked.runs:
        RunFolder.open(folder).read_manifest()
    with writing(asked.out):
        for path in viewing.save_comparison(asked.runs, asked.out):
            print(path)
    return 0
