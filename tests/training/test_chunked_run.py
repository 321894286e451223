"""Where the chunks of a run end, and what each returns."""

import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ganjax.runs.digests import is_digest_step
from ganjax.system.progress import Clock
from ganjax.training.chunked_run import CHUNK_SECONDS, ChunkPlan, run_chunks

EVERY = st.tuples(st.integers(0, 40), st.integers(0, 40))


@given(st.integers(0, 100), st.integers(0, 200), EVERY, st.integers(1, 50), st.integers(1, 10**6))
def test_a_course_stops_at_every_stop_and_makes_way(first, more, every, capacity, affordable):
    chunk_plan, step, stops = ChunkPlan(first, first + more, every, capacity), first, []
    while step < chunk_plan.last:
        count = chunk_plan.until_next_stop(step, affordable)
        assert 1 <= count <= min(capacity, affordable)
        step += count
        stops.append(step)
    assert step == chunk_plan.last
    for wanted in range(first + 1, chunk_plan.last + 1):
        if is_digest_step(wanted) or any(n and wanted % n == 0 for n in every):
            assert wanted in stops


def counting(state, source, data_key, steps):
    """A chunk whose state counts its steps, and whose metrics are the numbers of these."""
    numbers = state["step"] + jnp.arange(1, 501)
    return {"step": state["step"] + steps}, {"number": numbers.astype(jnp.float32)}


def test_every_step_is_done_once_and_seen():
    clock = Clock()
    chunk_plan = ChunkPlan(5, 64, every=(7,), capacity=500)
    seen = list(run_chunks(counting, {"step": jnp.int32(5)}, None, None, chunk_plan, clock))
    assert [result.first for result in seen] == [5, *(result.step for result in seen[:-1])]
    assert seen[0].step == 6  # the first chunk compiles: one step
    assert seen[-1].step == 64
    assert np.concatenate([result.rows["number"] for result in seen]).tolist() == list(range(6, 65))
    for result in seen:
        assert (int(result.before["step"]), int(result.state["step"])) == (result.first, result.step)
    assert set(clock.seconds) == {"compile", "steps"}


class Quarters:
    """Stands in for a clock: each step takes a quarter of what a chunk should."""

    def __init__(self):
        self.seconds = CHUNK_SECONDS / 4

    def __call__(self, phase):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_a_chunk_has_as_many_steps_as_it_can_afford():
    clock, counts = Quarters(), []
    state, chunk_plan = {"step": jnp.int32(1000)}, ChunkPlan(1000, 1020, (), 500)
    for result in run_chunks(counting, state, None, None, chunk_plan, clock):
        counts.append(result.step - result.first)
        clock.seconds = CHUNK_SECONDS / 4 * min(4, 1020 - result.step)
    assert counts == [1, 4, 4, 4, 4, 3]
