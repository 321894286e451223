"""A run as a sequence of chunks: where it returns to Python, and what is known there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.datasets.batches import Source
from ganjax.runs.digests import next_named
from ganjax.state import GANState
from ganjax.system.progress import Clock
from ganjax.training.chunks import Chunk

CHUNK_SECONDS = 1.0  # what a chunk should take: Ctrl-C and the progress bar wait for it


@dataclasses.dataclass(frozen=True)
class ChunkResult:
    """Where a chunk has ended.

    Attributes:
        first, step: steps done before and after it.
        state: the state after it. It is donated to the next chunk: copy what is to outlive that.
        before: the state before it.
        rows: metrics by name, float32, the first axis counting the chunk's steps.
    """

    first: int
    step: int
    state: GANState
    before: GANState
    rows: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class ChunkPlan:
    """From where to where, and where to stop on the way; the named steps of `training.digests` are stops too.

    Attributes:
        first, last: steps done at the beginning and at the end.
        every: stop at the multiples of each of these; zeros are ignored.
        capacity: steps in a chunk, at most.
    """

    first: int
    last: int
    every: tuple[int, ...]
    capacity: int

    def until_next_stop(self, step: int, affordable: int) -> int:
        """How many steps to do from `step` on, at most `affordable`."""
        stops = [every - step % every for every in self.every if every > 0]
        stops += [next_named(step) - step, self.last - step]
        return min(affordable, self.capacity, *stops)


def run_chunks(
    chunk: Chunk, state: GANState, source: Source, data_key: jax.Array, chunk_plan: ChunkPlan, clock: Clock
) -> Iterator[ChunkResult]:
    """Train along `chunk_plan`, chunk by chunk. Where a run is cut into chunks changes no bit of it.

    Args:
        chunk: from `compile_chunk`, or one for a population: it is only handed what follows.
        state: donated.
        source, data_key: where batches come from.
        course: see there.
        clock: told the seconds of "compile" (the first chunk, which also compiles) and "steps".
    """
    step, affordable = chunk_plan.first, 1
    phase = "compile"
    while step < chunk_plan.last:
        count = chunk_plan.until_next_stop(step, affordable)
        before = jax.tree.map(jnp.copy, state)
        with clock(phase) as watch:
            state, metrics = chunk(state, source, data_key, count)
            rows = {name: np.asarray(values)[:count] for name, values in metrics.items()}
        # The first chunk also compiles: its rate only says how slow a step is at most.
        affordable = max(1, int(count / watch.seconds * CHUNK_SECONDS))
        phase = "steps"
        yield ChunkResult(step, step + count, state, before, rows)
        step += count
