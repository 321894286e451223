"""The fastest way to run a chunk of steps: `python -m benchmarks chunk-forms WORKLOAD`.

The same steps are run in alternating rounds as a compiled loop, as a compiled loop with four steps in each
iteration, and as queued calls of one compiled step. The table in `ganjax/training/chunks.py` comes from here.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

import ganjax
from ganjax import networks, stateless
from ganjax.datasets import Resident
from ganjax.draws import draw
from ganjax.step import step_with_draws
from ganjax.system.process import keep_freed_memory
from ganjax.training import chunks

UNROLLED = 4


def _perceptrons(width: int) -> ganjax.GAN:
    return ganjax.GAN(networks.mlp(2, [width] * 3, 2), networks.mlp(2, [width] * 3, 1))


def _dcgan() -> ganjax.GAN:
    return ganjax.GAN(networks.dcgan_generator(32, 32), networks.dcgan_discriminator(32, 32))


def _cartoon() -> ganjax.GAN:
    return ganjax.experiments.Cartoon().gan


WORKLOADS: dict[str, tuple[Callable[[], ganjax.GAN], int, int]] = {
    "MLP 3x16": (lambda: _perceptrons(16), 64, 500),
    "MLP 3x128": (lambda: _perceptrons(128), 256, 200),
    "DCGAN 32 px, width 32": (_dcgan, 64, 8),
    "cartoon": (_cartoon, 16, 8),
}
"""name: (function that makes the GAN, batch, steps in a chunk)"""


def main(words: Sequence[str]) -> None:
    """Time each form of the chunk of one workload, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks chunk-forms", description=__doc__)
    parser.add_argument("workload", choices=WORKLOADS, metavar="WORKLOAD", help="; ".join(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=5, help="number of alternating rounds (default 5)")
    asked = parser.parse_args(words)
    build, batch, steps = WORKLOADS[asked.workload]
    keep_freed_memory(one_arena="MLP" not in asked.workload)
    print(f"JAX {jax.__version__} on {jax.devices()[0].device_kind}; ms per step, median (least to most)")
    for form, times in measure(stateless.without_values(build), batch, steps, asked.rounds).items():
        middle = 1000 * statistics.median(times)
        extent = f"({1000 * min(times):.4f} to {1000 * max(times):.4f})"
        print(f"{asked.workload:<24}{form:<12}{middle:9.4f} {extent}")


def measure(gan: ganjax.GAN, batch: int, steps: int, rounds: int) -> dict[str, list[float]]:
    """Seconds per step of every form, one entry for each round."""
    source = Resident(jax.random.uniform(jax.random.key(0), (8 * batch, *gan.sample_shape), minval=-1))
    forms: dict[str, Any] = {
        "compiled": chunks._compiled_chunk(gan, batch, steps),
        "unrolled": unrolled_chunk(gan, batch, steps),
        "queued": chunks._queued_chunk(gan, batch, steps),
    }
    states = {form: jax.jit(ganjax.init_state, static_argnums=0)(gan, jax.random.key(1)) for form in forms}
    times: dict[str, list[float]] = {form: [] for form in forms}
    for round_ in range(rounds + 1):
        for form, chunk in forms.items():
            start = time.perf_counter()
            states[form], metrics = chunk(states[form], source, jax.random.key(2), steps)
            jax.block_until_ready((states[form], metrics))
            if round_ > 0:  # the first one compiles
                times[form].append((time.perf_counter() - start) / steps)
    return times


def unrolled_chunk(gan: ganjax.GAN, batch: int, capacity: int) -> chunks.Chunk:
    """A chunk as a compiled loop with several steps in its body."""

    def chunk(state, source, data_key, steps):
        plan = source.plan(data_key, state.step, capacity, batch)
        draws = jax.vmap(lambda step: draw(gan, state.key, step, batch))(state.step + jnp.arange(capacity))

        def body(state, planned):
            indices, drawn = planned
            return step_with_draws(gan, state, source.fetch(indices, batch), drawn)

        return jax.lax.scan(body, state, (plan, draws), unroll=UNROLLED)

    return jax.jit(chunk, donate_argnums=0, static_argnums=3)
