"""The time that checkpoints take: `python -m benchmarks checkpoint-cost [EXPERIMENT] [--steps 300]`.

The same run is made in alternating rounds, without checkpoints during training and with one every ten steps.
The difference divided by their number is the total cost of one: the time for which training waits, and the
time that the writing thread takes from it. By default, a run writes a checkpoint every minute.
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
    parser.add_argument(
        "experiment", nargs="?", default="cartoon", help="experiment to run (default cartoon)"
    )
    parser.add_argument("--steps", type=int, default=300, help="steps of each run (default 300)")
    parser.add_argument("--rounds", type=int, default=3, help="number of alternating rounds (default 3)")
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
    waits: list[float] = []
    intervals = {"none": Interval(steps=asked.steps), "many": Interval(steps=EVERY)}
    for _ in range(asked.rounds):
        for name, interval in intervals.items():
            total, waiting = _run(experiment, interval)
            seconds[name].append(total)
            if name == "many":
                waits.append(waiting)
    count = (asked.steps - 1) // EVERY
    pairs = zip(seconds["many"], seconds["none"], strict=True)
    costs = [(many - none) / count for many, none in pairs]
    step = [none / asked.steps for none in seconds["none"]]
    rows = [
        ["one step", *_milliseconds(step)],
        ["training waits for a checkpoint", *_milliseconds([waiting / (count + 1) for waiting in waits])],
        ["a checkpoint in total", *_milliseconds(costs)],
    ]
    print(tables.plain(["milliseconds", "median", "least", "most"], rows, right=("median", "least", "most")))
    share = statistics.median(costs) / DEFAULT
    print(f"with the default interval of {DEFAULT} s: {share:.3%} of the time")
    return 0


def _run(experiment, interval: Interval) -> tuple[float, float]:
    """Seconds of a run's steps and checkpoints together, and of the checkpoints alone."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = RunFolder.create(Path(temporary) / "run")
        timings = fit(
            experiment, folder, checkpoint_policy=CheckpointPolicy(every=interval), quiet=True
        ).timings
    return timings["steps"] + timings["checkpoints"], timings["checkpoints"]


def _milliseconds(seconds: Sequence[float]) -> list[str]:
    return [f"{1000 * value:.2f}" for value in (statistics.median(seconds), min(seconds), max(seconds))]
