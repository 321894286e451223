"""Every epoch has every sample once, however a run is divided into chunks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.datasets import toy
from ganjax.datasets.batches import Resident, Sampled, Whole
from ganjax.datasets.images import ImageSet
from ganjax.system.errors import UserError


def numbers(n: int) -> Resident:
    return Resident(np.arange(n, dtype=np.float32))


_plan = jax.jit(lambda source, *args: source.plan(*args), static_argnums=(3, 4))


def plan(source, key, first_step, steps, batch):
    return np.asarray(_plan(source, key, first_step, steps, batch))


# Few shapes, as each is compiled: a multiple of the batch or not, a batch above n, one sample.
SHAPES = st.sampled_from([(1, 4), (12, 4), (13, 5), (7, 30)])


@given(shape=SHAPES, steps=st.sampled_from([1, 6]), seed=st.integers(0, 9))
def test_each_epoch_has_each_sample_once_and_the_next_follows_directly(shape, steps, seed):
    n, batch = shape
    key = jax.random.key(seed)
    order = plan(numbers(n), key, 0, steps, batch).reshape(-1)
    assert order.dtype == np.int32
    for e in range(len(order) // n):
        expected = jax.random.permutation(jax.random.fold_in(key, e), n)
        np.testing.assert_array_equal(order[e * n : (e + 1) * n], expected)
        assert sorted(order[e * n : (e + 1) * n]) == list(range(n))
    rest = order[len(order) // n * n :]
    assert len(set(rest.tolist())) == len(rest)


@given(shape=SHAPES, seed=st.integers(0, 9))
@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_any_division_into_chunks_gives_the_same_batches(impl, shape, seed):
    (n, batch), cut = shape, 4
    key = jax.random.key(seed, impl=impl)
    source = numbers(n)
    whole = plan(source, key, 0, 10, batch)
    np.testing.assert_array_equal(plan(source, key, 0, cut, batch), whole[:cut])
    np.testing.assert_array_equal(plan(source, key, cut, 10 - cut, batch), whole[cut:])


def test_a_late_step_does_not_overflow():
    # After more than 2^31 samples: the expected positions are computed with Python's integers.
    key, n, batch, first = jax.random.key(4), 60_001, 128, 2**30 + 17
    got = plan(numbers(n), key, first, 2, batch).reshape(-1)
    epoch, offset = divmod(first * batch, n)
    order = np.concatenate([jax.random.permutation(jax.random.fold_in(key, epoch + i), n) for i in range(2)])
    np.testing.assert_array_equal(got, order[offset : offset + 2 * batch])


def test_first_step_may_be_traced_and_the_data_is_an_argument(key):
    chunk = jax.jit(
        lambda source, key, first: source.fetch(source.plan(key, first, 3, 4)[0], 4),
    )
    for first in (0, 3, 6):
        chunk(numbers(10), key, first)
    chunk(Resident(np.arange(10, dtype=np.float32) + 100), key, 0)
    assert chunk._cache_size() == 1
    closed = jax.make_jaxpr(lambda source: source.fetch(jnp.arange(2), 2))(numbers(10))
    assert not any(np.shape(c) == (10,) for c in closed.consts)


def test_a_scan_over_the_plan_fetches_the_batches(key):
    source = numbers(7)
    xs = source.plan(key, 5, 4, 3)
    _, batches = jax.lax.scan(lambda c, x: (c, source.fetch(x, 3)), 0, xs)
    np.testing.assert_array_equal(batches, np.asarray(xs, np.float32))


def test_vmap_over_keys_gives_each_run_its_own_batches():
    source, keys = numbers(9), jax.random.split(jax.random.key(8), 3)
    together = jax.vmap(lambda k: source.plan(k, 2, 4, 5))(keys)
    for k, own in zip(keys, together, strict=True):
        np.testing.assert_array_equal(own, source.plan(k, 2, 4, 5))
    batches = jax.vmap(lambda x: source.fetch(x, 5))(together[:, 0])
    np.testing.assert_array_equal(batches, np.asarray(together[:, 0], np.float32))


def test_bytes_are_scaled_to_minus_one_to_one():
    images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1).repeat(3, axis=3)
    source = Resident(ImageSet(images))
    real = source.fetch(jnp.array([2, 0, 1]), 3)
    assert real.dtype == jnp.float32
    assert real.shape == (3, 1, 1, 3)
    np.testing.assert_allclose(real[:, 0, 0, 0], [1, -1, -0.6], atol=1e-6)


def test_every_batch_of_whole_is_the_whole_set(key):
    bytes_ = np.array([[0], [255], [51]], np.uint8)
    for source, expected in (
        (Whole(np.float32([[3], [1], [2]])), [[3], [1], [2]]),
        (Whole(bytes_), [[-1], [1], [-0.6]]),
    ):
        plan = source.plan(key, 5, 4, 3)
        assert len(plan) == 4
        for x in plan:
            np.testing.assert_allclose(source.fetch(x, 3), expected, atol=1e-6)
    with pytest.raises(ValueError, match="is 3 samples, not 2"):
        source.plan(key, 0, 1, 2)


@pytest.mark.parametrize("kind", [Resident, Whole])
def test_sources_can_be_flattened_and_unflattened(kind):
    source = kind(np.arange(4, dtype=np.float32))
    leaves, treedef = jax.tree.flatten(source)
    assert len(leaves) == 1
    again = jax.tree.unflatten(treedef, leaves)
    assert type(again) is kind
    np.testing.assert_array_equal(again.array, source.array)
    assert type(jax.tree.map(lambda a: None, source)) is kind


@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_sampled_draws_each_step_from_its_own_key(make_key):
    key, source = make_key(3), Sampled(toy.ring)
    xs = source.plan(key, 6, 3, 16)
    _, batches = jax.lax.scan(lambda c, x: (c, source.fetch(x, 16)), 0, xs)
    assert batches.shape == (3, 16, 2)
    for i in range(3):
        expected = toy.ring(jax.random.fold_in(key, 6 + i), 16)
        np.testing.assert_allclose(batches[i], expected, rtol=1e-6, atol=1e-6)


def test_sampled_does_not_recompile_between_chunks(key):
    chunk = jax.jit(lambda source, first: source.fetch(source.plan(key, first, 2, 4)[1], 4))
    chunk(Sampled(toy.ring), 0)
    chunk(Sampled(toy.ring), 2)
    assert chunk._cache_size() == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [Resident, Whole])
def test_a_sample_that_is_not_finite_is_named_by_its_index(kind, value):
    data = np.ones((9, 2, 3), np.float32)
    data[[4, 7], 1, 2] = value
    for array in (data, jnp.asarray(data)):
        with pytest.raises(UserError, match=f"sample 4 of the real data contains {value} \\(2 of 9 samples"):
            kind(array)
    kind(np.full(3, np.finfo(np.float32).max))


def test_a_source_can_be_made_in_a_traced_function():
    total = jax.jit(lambda array: Whole(array).fetch(None, 3).sum())
    assert total(jnp.ones(3, jnp.float32)) == 3


def test_wrong_arguments_are_refused(key):
    with pytest.raises(TypeError, match="uint8 or float32, got float64"):
        Resident(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="at least one sample"):
        Resident(np.zeros((0, 2), np.float32))
    with pytest.raises(ValueError, match="batch must be at least 1"):
        numbers(3).plan(key, 0, 1, 0)
    with pytest.raises(ValueError, match=r"below 2\*\*31"):
        numbers(1000).plan(key, 0, 1, 2**22)
