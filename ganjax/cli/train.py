"""`ganjax train EXPERIMENT`: run a named experiment and leave a run folder behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ganjax.cli.parsing import choose, parse
from ganjax.cli.running import Process, run_to_its_end
from ganjax.cli.seeds import parse_seeds, run_seeds
from ganjax.experiments import EXPERIMENTS
from ganjax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Options:
    """Where the run goes."""

    seeds: str | None = None
    """Train with several seeds, at once where the networks allow it: 0:10 for 0 to 9, or 0,3,7. A table shows
    mean, standard error, least and most of each score."""
    out: Path | None = None
    """Folder of the run; runs/<experiment>-<seed> by default. With --seeds: folder of their folders, runs by
    default."""
    overwrite: bool = False
    """Replace a run that is there already."""
    resume: bool = False
    """Go on with the run that is there already, from its last checkpoint; begin it where there is none."""
    deterministic: bool = False
    """Ask for kernels that always give the same bits. Needed on GPUs only, and slower there."""


def run(words: Sequence[str]) -> int:
    """Run `ganjax train` with these words; returns the exit code."""
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return 0 if words else 2
    name = choose(words[0], EXPERIMENTS, "experiment")
    experiment_class = EXPERIMENTS[name]
    parts = [("experiment", experiment_class), ("options", Options), ("process", Process)]
    form = dataclasses.make_dataclass("Train", parts, frozen=True)
    asked = parse(form, words[1:], f"ganjax train {name}", _title(experiment_class))
    experiment, options, process = asked.experiment, asked.options, asked.process
    if options.resume and options.overwrite:
        raise UserError("--resume goes on with a run and --overwrite begins it anew: give one of them")
    process.check()
    seeds = parse_seeds(options.seeds) if options.seeds is not None else ()
    if seeds and any(word.split("=")[0] == "--seed" for word in words):
        raise UserError("--seed is one and --seeds are several: give one of them")
    process.prepare(experiment, deterministic=options.deterministic)
    if seeds:
        where, again = options.out or Path("runs"), options.resume
        return run_seeds(experiment, seeds, where, process, overwrite=options.overwrite, resume=again)

    from ganjax.training import RunFolder

    folder = RunFolder(options.out or Path("runs") / f"{name}-{experiment.seed}")
    resume = options.resume and folder.manifest_path.exists()
    if not resume:
        folder = RunFolder.create(folder.path, overwrite=options.overwrite)
    return run_to_its_end(experiment, folder, process, resume=resume)


def _usage() -> str:
    lines = [f"  {name:<17} {_title(kind)}" for name, kind in EXPERIMENTS.items()]
    return "\n".join(
        [
            "usage: ganjax train EXPERIMENT [--seed INT] [--steps INT] [--out DIR] ...",
            "",
            "experiments:",
            *lines,
            "",
            "examples:",
            "  ganjax train cartoon                      into runs/cartoon-0",
            "  ganjax train cartoon --data faces.zip     your own pictures",
            "  ganjax train ring --seed 1 --steps 5000",
            "  ganjax train ring --seeds 0:10            ten seeds at once, and a table of their scores",
            "",
            "ganjax train EXPERIMENT --help shows every flag of one.",
        ]
    )


def _title(experiment: type) -> str:
    return (experiment.__doc__ or "").splitlines()[0]
