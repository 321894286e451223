"""A run as a sequence of chunks: when it returns to Python, and what each chunk returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.datasets.batches import Source
from ganjax.runs.digests import next_digest_step
from ganjax.state import GANState
from ganjax.system.progress import Clock
from ganjax.training.chunks import Chunk

CHUNK_SECONDS = 1.0  # how long a chunk should take: Ctrl-C and the progress bar wait for its end


@dataclasses.dataclass(frozen=True)
class ChunkResult:
    """What is known after a chunk.

    Attributes:
        first, step: number of steps done before and after it.
        state: the state after it. It is donated to the next chunk: copy it to use it longer.
        before: the state before it.
        rows: metrics by name, float32, with one entry along the first axis for each step of the chunk.
    """

    first: int
    step: int
    state: GANState
    before: GANState
    rows: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class ChunkPlan:
    """First and last step of a run, and the steps between at which it returns to Python.

    It also returns at the steps with a digest (`ganjax.runs.digests`).

    Attributes:
        first, last: number of steps done at the beginning and at the end.
        every: return at the multiples of each of these; zeros are ignored.
        capacity: largest number of steps in a chunk.
    """

    first: int
    last: int
    every: tuple[int, ...]
    capacity: int

    def until_next_stop(self, step: int, most: int) -> int:
        """How many steps to do after `step` in the next chunk, at most `most`."""
        stops = [every - step % every for every in self.every if every > 0]
        stops += [next_digest_step(step) - step, self.last - step]
        return min(most, self.capacity, *stops)


def run_chunks(
    chunk: Chunk, state: GANState, source: Source, data_key: jax.Array, chunk_plan: ChunkPlan, clock: Clock
) -> Iterator[ChunkResult]:
    """Train according to `chunk_plan`. How a run is divided into chunks does not change its results.

    Args:
        chunk: from `compile_chunk`, or one for a population; it is called with the next three arguments.
        state: donated.
        source, data_key: where batches come from.
        chunk_plan: first and last step, and where to return.
        clock: adds up the seconds of "compile" (the first chunk, which includes compilation) and "steps".
    """
    step, most = chunk_plan.first, 1
    phase = "compile"
    while step < chunk_plan.last:
        count = chunk_plan.until_next_stop(step, most)
        before = jax.tree.map(jnp.copy, state)
        with clock(phase) as watch:
            state, metrics = chunk(state, source, data_key, count)
            rows = {name: np.asarray(values)[:count] for name, values in metrics.items()}
        # After the first chunk, which includes compilation, this is only a lower bound.
        most = max(1, int(count / watch.seconds * CHUNK_SECONDS))
        phase = "steps"
        yield ChunkResult(step, step + count, state, before, rows)
        step += count
