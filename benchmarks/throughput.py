"""Training steps a second of named experiments, on this machine, with JAX.

    python -m benchmarks throughput ring original-cartoon

Two ways of running the same steps, in rounds that alternate so that a drifting machine favours neither:

- `step`: one jitted `ganjax.train_step` a call, waiting for each result;
- `chunk`: the compiled chunks that `ganjax train` runs, waiting once a chunk.

The allocator keeps freed memory, as under `ganjax train` (`--stock-allocator` to compare). Data lie on the
device; compiling and a warm-up are excluded and reported apart. Every raw timing is written to a JSON file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import ganjax
from ganjax.experiments import EXPERIMENTS
from ganjax.training.allocator import keep_freed_memory
from ganjax.training.chunks import LONGEST, capacity_for, compile_chunk
from ganjax.training.manifest import versions


def main(words: list[str]) -> None:
    """Time the named experiments, print a table, and write every raw figure to `--out`."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks throughput",
        description="Training steps a second of named experiments.",
    )
    parser.add_argument(
        "experiment", nargs="*", default=["original-toy", "ring"], help="names; default: toys"
    )
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds (default 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="aimed at for each timing (default 2)")
    parser.add_argument("--out", type=Path, default=Path("throughput.json"), help="file for the raw timings")
    parser.add_argument("--stock-allocator", action="store_true", help="leave glibc's malloc as it is")
    asked = parser.parse_args(words)
    unknown = set(asked.experiment) - set(EXPERIMENTS)
    if unknown:
        parser.error(f"no experiment {', '.join(sorted(unknown))}; choose from {', '.join(EXPERIMENTS)}")
    if asked.rounds < 1 or asked.seconds <= 0:
        parser.error("--rounds must be at least 1 and --seconds positive")

    tuned = not asked.stock_allocator and keep_freed_memory()
    results = {
        "allocator": "keeps freed memory" if tuned else "stock",
        "versions": versions(),
        "platform": platform.platform(),
        "device": jax.devices()[0].device_kind,
        "processor": processor(),
        "processors": os.cpu_count(),
        "experiments": {},
    }
    print(
        f"{results['processor']}, {os.cpu_count()} cores, JAX {jax.__version__} on {results['device']}, ",
        end="",
    )
    print(f"allocator: {results['allocator']}")
    print(f"{'experiment':<18}{'form':<8}{'compile s':>10}{'ms a step':>11}{'steps/s':>10}{'spread':>9}")
    for name in asked.experiment:
        row = measure(name, asked.rounds, asked.seconds)
        results["experiments"][name] = row
        for form, figures in row["forms"].items():
            times = figures["seconds_a_step"]
            median = statistics.median(times)
            spread = (max(times) - min(times)) / median
            print(
                f"{name:<18}{form:<8}{figures['compile_seconds']:>10.1f}{1000 * median:>11.3f}"
                f"{1 / median:>10.1f}{spread:>8.0%}"
            )
        asked.out.write_text(json.dumps(results, indent=2) + "\n")
    print(f"raw timings in {asked.out}")


def measure(name: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Raw timings of one experiment: `{"batch", "forms": {form: {"compile_seconds", "seconds_a_step"}}}`."""
    experiment = EXPERIMENTS[name]()
    source, _ = experiment.load(progress=False)
    source = jax.device_put(source)
    forms: dict[str, tuple[Callable[[int], float], dict[str, Any]]] = {}
    for form in ("step", "chunk"):
        run = (_stepper if form == "step" else _chunker)(experiment, source)
        compile_seconds = run(1)
        warm = run(1)
        most = capacity_for(LONGEST, experiment.batch)
        steps = max(1, min(most, int(seconds / warm)))
        steps = max(1, min(most, int(seconds * steps / run(steps))))  # the first guess was of a cold call
        forms[form] = (run, {"compile_seconds": compile_seconds, "steps": steps, "seconds_a_step": []})
    for _ in range(rounds):
        for run, figures in forms.values():
            figures["seconds_a_step"].append(run(figures["steps"]) / figures["steps"])
    return {"batch": experiment.batch, "forms": {form: figures for form, (_, figures) in forms.items()}}


def _stepper(experiment: Any, source: Any) -> Callable[[int], float]:
    step = jax.jit(ganjax.train_step, static_argnums=0, donate_argnums=1)
    gan, batch = experiment.gan, experiment.batch * experiment.gan.discriminator_updates
    plan = source.plan(jax.random.key(1), jnp.int32(0), 1, batch)
    real = source.fetch(jax.tree.map(lambda x: x[0], plan), batch)
    state = ganjax.init_state(gan, jax.random.key(0))

    def run(steps: int) -> float:
        nonlocal state
        start = time.perf_counter()
        for _ in range(steps):
            state, metrics = step(gan, state, real)
            jax.block_until_ready(metrics)
        return time.perf_counter() - start

    return run


def _chunker(experiment: Any, source: Any) -> Callable[[int], float]:
    chunk = compile_chunk(experiment.gan, experiment.batch, capacity_for(LONGEST, experiment.batch))
    state = ganjax.init_state(experiment.gan, jax.random.key(0))
    key = jax.random.key(1)

    def run(steps: int) -> float:
        nonlocal state
        start = time.perf_counter()
        state, metrics = chunk(state, source, key, steps)
        jax.block_until_ready((state, metrics))
        return time.perf_counter() - start

    return run


def processor() -> str:
    """The processor's name and its widest vector instructions, as far as Linux tells."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in lines.items()}
    flags = fields.get("flags", "").split()
    width = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    return f"{fields.get('model name', platform.machine())} ({width})"
