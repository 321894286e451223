"""Each member is computed once, for any groups and devices."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.populations import layout
from ganjax.populations.layout import Layout

COUNT = st.integers(1, 40)


@given(members=COUNT, group=COUNT, devices=st.integers(1, 9))
def test_there_is_a_place_for_everybody_and_few_are_left_over(members, group, devices):
    plan = Layout.of(members, group, devices)
    assert plan.devices == min(members, devices)
    assert 1 <= plan.group <= group
    assert plan.places % (plan.devices * plan.group) == 0
    assert members <= plan.places
    rounds = plan.places // (plan.devices * plan.group)
    # No round could be saved, and none has space for one more on each device.
    assert rounds == math.ceil(math.ceil(members / plan.devices) / group)
    assert plan.places - members < plan.devices * (1 + rounds)


@given(members=st.integers(1, 7), group=st.integers(1, 7))
def test_a_function_of_one_is_a_function_of_all(members, group):
    plan = Layout.of(members, group)
    own, shared = jnp.arange(3.0 * members).reshape(members, 3), jnp.float32(2)

    def function(x, y):
        assert (x.shape, y.shape) == ((3,), ())
        return x**y, jnp.sum(x)

    arguments = (plan.spread(own, each=True), plan.spread(shared, each=False))
    squares, sums = plan.gather(plan.over_members(function, shared=1)(*arguments))
    np.testing.assert_allclose(squares, np.asarray(own) ** 2, rtol=1e-6)
    np.testing.assert_allclose(sums, np.asarray(own).sum(1), rtol=1e-6)


def test_keys_of_random_numbers_are_spread_and_gathered():
    keys = jax.random.split(jax.random.key(0), 3)
    plan = Layout.of(3, 2)
    assert plan.places == 4
    spread = plan.spread(keys, each=True)
    assert spread.shape == (4,)
    assert spread[3] == keys[2]
    assert (plan.gather(spread) == keys).all()


@pytest.mark.parametrize(("work", "group"), [(layout.ONE_BY_ONE - 1, 9), (layout.ONE_BY_ONE, 1)])
def test_on_a_cpu_large_steps_are_taken_one_by_one(work, group):
    assert layout.preferred_group(9, work) == group


def test_memory_is_counted_in_bytes():
    compiled = jax.jit(lambda x: x + 1).lower(jnp.zeros(1000)).compile()
    assert 8000 <= layout.memory_of(compiled) < 9000
    assert 2**20 < layout.memory_for_programs() < 2**50
