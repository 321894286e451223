"""`ganjax train EXPERIMENT`: train a named experiment and write a run folder."""

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
    """Seeds and the run folder."""

    seeds: str | None = None
    """Train with several seeds, such as 0:10 (0 to 9) or 0,3,7, together if the networks allow it. A table
    shows mean, standard error, minimum and maximum of each score."""
    out: Path | None = None
    """Run folder; by default runs/<experiment>-<seed>. With --seeds: the parent of the run folders; by
    default runs."""
    overwrite: bool = False
    """Replace an existing run."""
    resume: bool = False
    """Continue an existing run from its last checkpoint; start a new one if there is none."""
    deterministic: bool = False
    """Use deterministic kernels. Only needed on GPUs, where it is slower."""


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
        raise UserError("--resume continues a run and --overwrite replaces it: give only one of them")
    process.check()
    seeds = parse_seeds(options.seeds) if options.seeds is not None else ()
    if seeds and any(word.split("=")[0] == "--seed" for word in words):
        raise UserError("--seed is for one run and --seeds for several: give only one of them")
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
            "  ganjax train ring --seeds 0:10            ten seeds together, and a table of scores",
            "",
            "ganjax train EXPERIMENT --help shows the flags of an experiment.",
        ]
    )


def _title(experiment: type) -> str:
    return (experiment.__doc__ or "").splitlines()[0]
