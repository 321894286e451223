"""`ganjax compare RUN...`: runs side by side, as a page and as a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from ganjax.cli.outputs import writing
from ganjax.cli.parsing import parse


@dataclasses.dataclass(frozen=True)
class Compare:
    """Put 2 to 12 runs side by side: final pictures, curves on the same axes, the settings in which they
    differ, and their scores.

    $ ganjax compare runs/ring-0 runs/ring-1
    $ ganjax compare runs/cartoon-* --out comparison

    Writes comparison.html, which opens without a network, and comparison.png.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of the runs."""
    out: Path = Path(".")
    """Folder for the page and the picture."""


def run(words: Sequence[str]) -> int:
    """Run `ganjax compare` with these words; returns the exit code."""
    asked = parse(Compare, words, "ganjax compare")

    from ganjax import viewing
    from ganjax.training.run_folder import RunFolder

    for folder in asked.runs:
        RunFolder.open(folder).read_manifest()
    with writing(asked.out):
        for path in viewing.save_comparison(asked.runs, asked.out):
            print(path)
    return 0
