"""A run in chunks: where they end, and what is known there."""

import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ganjax.training.advance import CHUNK_SECONDS, Course, advance
from ganjax.training.clock import Clock
from ganjax.training.digests import is_named

EVERY = st.tuples(st.integers(0, 40), st.integers(0, 40))


@given(st.integers(0, 100), st.integers(0, 200), EVERY, st.integers(1, 50), st.integers(1, 10**6))
def test_a_course_stops_at_every_stop_and_makes_way(first, more, every, capacity, affordable):
    course, step, stops = Course(first, first + more, every, capacity), first, []
    while step < course.last:
        count = course.until_next_stop(step, affordable)
        assert 1 <= count <= min(capacity, affordable)
        step += count
        stops.append(step)
    assert step == course.last
    for wanted in range(first + 1, course.last + 1):
        if is_named(wanted) or any(n and wanted % n == 0 for n in every):
            assert wanted in stops


def counting(state, source, data_key, steps):
    """A chunk whose state counts its steps, and whose metrics are the numbers of these."""
    numbers = state["step"] + jnp.arange(1, 501)
    return {"step": state["step"] + steps}, {"number": numbers.astype(jnp.float32)}


def test_every_step_is_done_once_and_seen():
    clock = Clock()
    course = Course(5, 64, every=(7,), capacity=500)
    seen = list(advance(counting, {"step": jnp.int32(5)}, None, None, course, clock))
    assert [reached.first for reached in seen] == [5, *(reached.step for reached in seen[:-1])]
    assert seen[0].step == 6  # the first chunk compiles: one step
    assert seen[-1].step == 64
    assert np.concatenate([reached.rows["number"] for reached in seen]).tolist() == list(range(6, 65))
    for reached in seen:
        assert (int(reached.before["step"]), int(reached.state["step"])) == (reached.first, reached.step)
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
    state, course = {"step": jnp.int32(1000)}, Course(1000, 1020, (), 500)
    for reached in advance(counting, state, None, None, course, clock):
        counts.append(reached.step - reached.first)
        clock.seconds = CHUNK_SECONDS / 4 * min(4, 1020 - reached.step)
    assert counts == [1, 4, 4, 4, 4, 3]
