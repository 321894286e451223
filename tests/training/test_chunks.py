"""A chunk equals as many calls of train_step, however a run is divided into chunks."""

import itertools
import re

import jax
import keras
import numpy as np
import pytest
import small_runs
from hypothesis import given
from hypothesis import strategies as st

from ganjax import GAN, init_state, train_step
from ganjax.datasets import batches, toy
from ganjax.training import chunks

CAPACITY = 5
BATCH = 6
STEPS = 12
FORMS = {"compiled": chunks._compiled_chunk, "queued": chunks._queued_chunk}

data_key = jax.random.key(7)


class Counter:
    """A transform of the forward functions that counts how often these are traced."""

    def __init__(self):
        self.traces = 0

    def __call__(self, forward):
        def counted(*arguments):
            self.traces += 1
            return forward(*arguments)

        return counted


class Case:
    """A GAN with data, and the states and metrics of its first steps taken one by one."""

    def __init__(self, networks, source, updates=1):
        self.counter = Counter()
        self.gan = GAN(*networks, discriminator_updates=updates, transform=self.counter)
        self.source = source
        self.forms = {name: form(self.gan, BATCH * updates, CAPACITY) for name, form in FORMS.items()}
        step = jax.jit(train_step, static_argnums=0)
        plan = source.plan(data_key, 0, STEPS, BATCH * updates)
        self.states, self.metrics = [init_state(self.gan, jax.random.key(3))], []
        for i in range(STEPS):
            state, metrics = step(self.gan, self.states[-1], source.fetch(plan[i], BATCH * updates))
            self.states.append(state)
            self.metrics.append(metrics)

    def run(self, form, cuts):
        """State and metrics after chunks of these lengths."""
        state, metrics = jax.tree.map(jax.numpy.copy, self.states[0]), []
        for steps in cuts:
            state, filled = self.forms[form](state, self.source, data_key, steps)
            metrics += [{name: values[i] for name, values in filled.items()} for i in range(steps)]
        return state, metrics


@pytest.fixture(scope="module")
def dense():
    return Case(small_runs.dots_networks(), batches.Sampled(toy.ring), updates=2)


@pytest.fixture(scope="module")
def pictures():
    array = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), np.uint8)
    return Case(small_runs.tiles_networks(), batches.Resident(array))


def plain(state):
    return [
        np.asarray(x)
        for x in jax.tree.leaves(state)
        if not jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
    ]


def same_bits(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(plain(one), plain(other), strict=True))


def close(one, other):
    # XLA fuses a step within a loop, or with the fetch of its batch, in another way: rounding differs.
    for a, b in zip(plain(one), plain(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


cuts = st.lists(st.integers(1, CAPACITY), min_size=1, max_size=STEPS).map(
    lambda lengths: [n for n, end in zip(lengths, itertools.accumulate(lengths), strict=True) if end <= STEPS]
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", ["dense", "pictures"])
@given(cuts=cuts)
def test_chunks_are_single_steps(request, case, form, cuts):
    case = request.getfixturevalue(case)
    state, metrics = case.run(form, cuts)
    assert int(state.step) == sum(cuts)
    close(state, case.states[sum(cuts)])
    close(metrics, case.metrics[: sum(cuts)])
    assert same_bits(state.key, case.states[0].key)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", ["dense", "pictures"])
@given(cuts=cuts)
def test_where_a_run_is_cut_changes_no_bit(request, case, form, cuts):
    case = request.getfixturevalue(case)
    one_by_one = case.run(form, [1] * sum(cuts))
    assert same_bits(case.run(form, cuts), one_by_one)


@pytest.mark.parametrize("form", FORMS)
def test_any_number_of_steps_runs_without_compiling_again(dense, form):
    dense.run(form, [1])
    traces = dense.counter.traces
    assert traces > 0
    for steps in range(1, CAPACITY + 1):
        dense.run(form, [steps])
    assert dense.counter.traces == traces


@pytest.mark.parametrize("form", FORMS)
def test_metrics_have_one_float32_a_step_up_to_the_capacity(dense, form):
    state = jax.tree.map(jax.numpy.copy, dense.states[0])
    _, metrics = dense.forms[form](state, dense.source, data_key, 2)
    assert metrics.keys() == dense.metrics[0].keys()
    assert {(x.shape, x.dtype.name) for x in metrics.values()} == {((CAPACITY,), "float32")}


@pytest.mark.parametrize("form", FORMS)
def test_the_state_is_donated(dense, form):
    state = jax.tree.map(jax.numpy.copy, dense.states[0])
    dense.forms[form](state, dense.source, data_key, 1)
    assert all(x.is_deleted() for x in state.generator.params)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", ["dense", "pictures"])
def test_a_chunk_moves_nothing_between_host_and_device(request, case, form):
    case = request.getfixturevalue(case)
    state, steps = jax.tree.map(jax.numpy.copy, case.states[0]), 3
    if form == "compiled":
        steps = jax.device_put(steps)  # all that a chunk is told
    case.run(form, [1])
    with jax.transfer_guard("disallow"):
        state, metrics = case.forms[form](state, case.source, data_key, steps)
    assert int(state.step) == 3
    assert np.all(metrics["finite"][:3] == 1)


@pytest.mark.parametrize("case", ["dense", "pictures"])
def test_a_compiled_chunk_writes_over_every_buffer_of_the_state(request, case):
    case = request.getfixturevalue(case)
    state = case.states[0]
    compiled = case.forms["compiled"].lower(state, case.source, data_key, 2).compile()
    header = compiled.as_text().split("\n", 1)[0]
    assert re.findall(r"\{(\d+)\}: \((\d+), \{\}", header) == [
        (str(i), str(i)) for i in range(len(jax.tree.leaves(state)))
    ]


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
@pytest.mark.parametrize("beforehand", [0, chunks.MAX_DRAWN])
def test_drawn_beforehand_or_in_every_step(dense, update, beforehand, monkeypatch):
    """Where a chunk's draws are many they are made one step at a time, and are the same."""
    gan = GAN(*small_runs.dots_networks(), discriminator_updates=2, update=update)
    state = init_state(gan, jax.random.key(3))
    monkeypatch.setattr(chunks, "MAX_DRAWN", beforehand)
    chunk = chunks._compiled_chunk(gan, 2 * BATCH, CAPACITY)
    program = chunk.lower(state, dense.source, data_key, 3).as_text()
    drawn_at_once = f"{CAPACITY}x{BATCH}x{gan.latent_shape[0]}xf32"
    assert (drawn_at_once in program) == (beforehand > 0)
    chunked, _ = chunk(jax.tree.map(jax.numpy.copy, state), dense.source, data_key, 3)
    plan = dense.source.plan(data_key, 0, 3, 2 * BATCH)
    for i in range(3):
        state, _ = jax.jit(train_step, static_argnums=0)(gan, state, dense.source.fetch(plan[i], 2 * BATCH))
    close(chunked, state)


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_any_kind_of_key(dense, impl):
    """Some draw other numbers for many steps at once than one after another: these are not vectorised."""
    gan, source = GAN(*small_runs.dots_networks()), dense.source
    key, state = jax.random.key(7, impl=impl), init_state(gan, jax.random.key(3, impl=impl))
    chunk = chunks._compiled_chunk(gan, BATCH, CAPACITY)
    chunked, _ = chunk(jax.tree.map(jax.numpy.copy, state), source, key, 3)
    plan = source.plan(key, 0, 3, BATCH)
    for i in range(3):
        state, _ = jax.jit(train_step, static_argnums=0)(gan, state, source.fetch(plan[i], BATCH))
    close(chunked, state)


def test_convolutions_are_found():
    layers = keras.layers
    dots, tiles = small_runs.dots_networks(), small_runs.tiles_networks()
    assert not chunks.has_convolutions(GAN(*dots))
    assert chunks.has_convolutions(GAN(*tiles))
    only_in_generator = keras.Sequential([layers.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1)])
    assert chunks.has_convolutions(GAN(tiles[0], only_in_generator))
    batch_norm = keras.Sequential([layers.Input((2,)), layers.BatchNormalization(), layers.Dense(2)])
    assert not chunks.has_convolutions(GAN(batch_norm, dots[1]))


def test_convolutions_are_queued_on_a_cpu_and_all_else_is_compiled(monkeypatch):
    dense, pictures = GAN(*small_runs.dots_networks()), GAN(*small_runs.tiles_networks())
    chosen = []
    for name, function in (("_compiled_chunk", "compiled"), ("_queued_chunk", "queued")):
        monkeypatch.setattr(
            chunks, name, lambda gan, batch, capacity, it=function: chosen.append((it, batch))
        )
    chunks.compile_chunk(dense, 4, 2)
    chunks.compile_chunk(pictures, 4, 2)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    chunks.compile_chunk(pictures, 4, 2)
    assert chosen == [("compiled", 4), ("queued", 4), ("compiled", 4)]
    chunks.compile_chunk(GAN(*small_runs.dots_networks(), discriminator_updates=3), 4, 2)
    assert chosen[-1] == ("compiled", 12)  # a batch for each update of the discriminator


@given(steps=st.integers(1, 10**6), batch=st.integers(1, 10**6))
def test_capacity_is_within_its_bounds(steps, batch):
    capacity = chunks.capacity_for(steps, batch)
    assert 1 <= capacity <= min(steps, chunks.MAX_STEPS)
    assert capacity == 1 or capacity * batch <= chunks.MAX_PLANNED


def test_a_population_is_compiled_once_and_its_state_is_written_over():
    counter = Counter()
    gan = GAN(*small_runs.dots_networks(), transform=counter)
    chunk = chunks.compile_population(gan, 4, 5, one_source=True)
    keys = jax.random.split(jax.random.key(0), 3)
    state = jax.vmap(init_state, (None, 0))(gan, keys)
    traces = []
    for steps in (2, 1, 5, 3):
        before = state
        state, metrics = chunk(state, batches.Sampled(toy.ring), keys, steps)
        traces.append(counter.traces)
        assert all(leaf.is_deleted() for leaf in before.generator.params)
    assert traces[0] > 0
    assert set(traces) == {traces[0]}
    assert state.step.tolist() == [11, 11, 11]
    assert {leaf.shape for leaf in metrics.values()} == {(5, 3)}
