"""What checkpoints cost: `python -m benchmarks checkpoint-cost [EXPERIMENT] [--steps 300]`.

The same run in rounds that alternate: without a checkpoint on the way, and with one every ten steps. The
difference, divided by how many there were, is what one costs all in all: the time for which training stands
still, and what the thread that writes takes from it. At the default rhythm there is one a minute.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jax

from benchmarks import machine, tables
from ganjax.cli.parsing import choose
from ganjax.experiments import EXPERIMENTS
from ganjax.runs.interval import Interval
from ganjax.stateless import without_values
from ganjax.system.compilation_cache import keep_compilations
from ganjax.system.errors import UserError
from ganjax.system.process import keep_freed_memory
from ganjax.training import CheckpointPolicy, RunFolder, fit

EVERY = 10  # steps from one checkpoint to the next
DEFAULT = CheckpointPolicy().every.seconds


def main(words: Sequence[str]) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks checkpoint-cost", description=__doc__)
    parser.add_argument("experiment", nargs="?", default="cartoon", help="default: cartoon")
    parser.add_argument("--steps", type=int, default=300, help="of each run (default 300)")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds (default 3)")
    asked = parser.parse_args(words)
    if asked.steps < 2 * EVERY or asked.rounds < 1:
        raise UserError(f"--steps must be at least {2 * EVERY} and --rounds at least 1")
    kind = EXPERIMENTS[choose(asked.experiment, EXPERIMENTS, "experiment")]
    experiment = kind(steps=asked.steps, picture_every=0)
    keep_freed_memory(one_arena=experiment.large_temporaries)
    keep_compilations()
    without_values(lambda: experiment.gan)
    print(f"{machine.sentence(machine.describe())}; JAX {jax.__version__}")

    seconds: dict[str, list[float]] = {"none": [], "many": []}
    still: list[float] = []
    intervals = {"none": Interval(steps=asked.steps), "many": Interval(steps=EVERY)}
    for _ in range(asked.rounds):
        for name, interval in intervals.items():
            loop, stood = _run(experiment, interval)
            seconds[name].append(loop)
            if name == "many":
                still.append(stood)
    more = (asked.steps - 1) // EVERY
    pairs = zip(seconds["many"], seconds["none"], strict=True)
    costs = [(many - none) / more for many, none in pairs]
    step = [none / asked.steps for none in seconds["none"]]
    rows = [
        ["one step", *_milliseconds(step)],
        ["training stands still for a checkpoint", *_milliseconds([stood / (more + 1) for stood in still])],
        ["a checkpoint, all in all", *_milliseconds(costs)],
    ]
    print(tables.plain(["milliseconds", "median", "least", "most"], rows, right=("median", "least", "most")))
    share = statistics.median(costs) / DEFAULT
    print(f"at the default rhythm of {DEFAULT} s: {share:.3%} of the time")
    return 0


def _run(experiment, interval: Interval) -> tuple[float, float]:
    """Seconds of a run's steps and checkpoints, and of the latter alone."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = RunFolder.create(Path(temporary) / "run")
        timings = fit(
            experiment, folder, checkpoint_policy=CheckpointPolicy(every=interval), quiet=True
        ).timings
    return timings["steps"] + timings["checkpoints"], timings["checkpoints"]


def _milliseconds(seconds: Sequence[float]) -> list[str]:
    return [f"{1000 * value:.2f}" for value in (statistics.median(seconds), min(seconds), max(seconds))]
