"""`ganjax train EXPERIMENT`: run a named experiment and leave a run folder behind."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from ganjax.cli.parsing import choose, parse
from ganjax.errors import UserError
from ganjax.experiments import EXPERIMENTS


@dataclasses.dataclass(frozen=True)
class Options:
    """Where the run goes and what is shown."""

    out: Path | None = None
    """Folder of the run; runs/<experiment>-<seed> by default."""
    overwrite: bool = False
    """Replace a run that is there already."""
    quiet: bool = False
    """Show no progress."""
    stock_allocator: bool = False
    """Leave glibc's malloc as it is, in place of letting it keep the memory a step has freed for the next."""
    no_compilation_cache: bool = False
    """Compile everything anew, in place of keeping compiled programs in the user's cache folder."""


def run(words: Sequence[str]) -> int:
    """Run `ganjax train` with these words; returns the exit code."""
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return 0 if words else 2
    name = choose(words[0], EXPERIMENTS, "experiment")
    experiment_class = EXPERIMENTS[name]
    form = dataclasses.make_dataclass(
        "Train", [("experiment", experiment_class), ("run", Options)], frozen=True
    )
    asked = parse(form, words[1:], f"ganjax train {name}", _title(experiment_class))
    experiment, options = asked.experiment, asked.run

    from jax.errors import JaxRuntimeError

    from ganjax import stateless
    from ganjax.training import RunFolder, fit
    from ganjax.training.allocator import keep_freed_memory
    from ganjax.training.compilation_cache import keep_compilations

    if not options.stock_allocator:
        keep_freed_memory(one_arena=experiment.large_temporaries)
    if not options.no_compilation_cache:
        keep_compilations()
    try:
        # What its networks refuse is known before anything is written.
        stateless.without_values(lambda: experiment.gan)
    except ValueError as error:
        raise UserError(str(error)) from error
    folder = RunFolder.create(
        options.out or Path("runs") / f"{name}-{experiment.seed}", overwrite=options.overwrite
    )
    try:
        outcome = fit(experiment, folder, quiet=options.quiet)
    except JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise UserError("there is not enough memory for this run: give a smaller --batch") from error
    say = (lambda _: None) if options.quiet else (lambda text: print(text, file=sys.stderr))
    if outcome.scores:
        say("  ".join(f"{score} {value:.4g}" for score, value in outcome.scores.items()))
    say(f"{folder.path}: look at samples/final.png, film.gif and curves.png")
    if outcome.interrupted:
        say(
            f"stopped at step {outcome.step} of {experiment.steps}; what is there is saved: "
            f"`ganjax sample {folder.path}` draws from it, `--overwrite` starts the run again"
        )
        return 130
    return 0


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
            "",
            "ganjax train EXPERIMENT --help shows every flag of one.",
        ]
    )


def _title(experiment: type) -> str:
    return (experiment.__doc__ or "").splitlines()[0]
