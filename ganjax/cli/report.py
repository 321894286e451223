"""`ganjax report RUN`: the page about a run, anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from ganjax.cli.parsing import parse


@dataclasses.dataclass(frozen=True)
class Report:
    """Write RUN/report.html anew from what lies in the run's folder.

    $ ganjax report runs/cartoon-0

    Training and `ganjax evaluate` write it by themselves; this is for runs of before, and for pages that were
    lost.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""


def run(words: Sequence[str]) -> int:
    """Run `ganjax report` with these words; returns the exit code."""
    asked = parse(Report, words, "ganjax report")

    from ganjax import viewing
    from ganjax.training.run_folder import RunFolder

    RunFolder.open(asked.run).read_manifest()
    print(viewing.save_report(asked.run))
    return 0
