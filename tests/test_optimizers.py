"""Adam against Keras's own, loss scaling by hand, and what counts as an update."""

import dataclasses

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ganjax
from ganjax import stateless
from ganjax.optimizers import LossScale, has_updated, keras_adam, updates_done


def by_optax(optimizer, start, gradients):
    """Weights after each gradient, as a jitted step applies them."""

    @jax.jit
    def step(params, memory, gradient):
        with stateless.standard_promotion():
            updates, memory = optimizer.update(gradient, memory, params)
        return optax.apply_updates(params, updates), memory

    params, memory = start, optimizer.init(start)
    course = []
    for gradient in gradients:
        params, memory = step(params, memory, gradient)
        course.append(params)
    return course, memory


def by_keras(optimizer, start, gradients):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        variables = [keras.Variable(x) for x in start]
        optimizer.build(variables)
        course = []
        for gradient in gradients:
            optimizer.apply(gradient, variables)
            course.append([np.array(v.value) for v in variables])
    return course


def random_gradients(scale, n=5):
    keys = jax.random.split(jax.random.key(7), n)
    return [[scale * jax.random.normal(key, (3, 4)), scale * jax.random.normal(key, (2,))] for key in keys]


START = [jnp.linspace(-1.0, 1.0, 12).reshape(3, 4), jnp.array([0.5, -2.0])]
SETTINGS = [
    {},
    {"learning_rate": 2e-4, "beta_1": 0.5},
    {"learning_rate": 0.1, "beta_1": 0.0, "beta_2": 0.9, "epsilon": 1e-3},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("scale", [1.0, 1e-8])
def test_weights_are_those_of_keras(settings, scale):
    """Within two units in the last place, as a compiled step rounds some products and sums at once."""
    gradients = random_gradients(scale)
    ours, _ = by_optax(keras_adam(**settings), START, gradients)
    theirs = by_keras(keras.optimizers.Adam(**settings), START, gradients)
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_max_ulp(np.asarray(x), y, maxulp=2)


def test_optax_differs_where_gradients_are_tiny():
    gradient = [jnp.full((3, 4), 1e-8), jnp.full((2,), 1e-8)]
    zeros = jax.tree.map(jnp.zeros_like, START)
    (ours,), _ = by_optax(keras_adam(1.0, 0.5), zeros, [gradient])
    (theirs,), _ = by_optax(optax.adam(1.0, b1=0.5), zeros, [gradient])
    expected = by_keras(keras.optimizers.Adam(1.0, 0.5), zeros, [gradient])[0]
    np.testing.assert_allclose(ours[0], expected[0], rtol=1e-6)
    assert np.all(np.abs(np.asarray(theirs[0]) / expected[0]) > 10)


def test_schedule_counts_from_zero():
    schedule = optax.piecewise_constant_schedule(0.1, {2: 0.5})
    gradients = random_gradients(1.0)
    ours, memory = by_optax(keras_adam(schedule), START, gradients)

    class Scheduled(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return jnp.where(step < 2, 0.1, 0.05)

    theirs = by_keras(keras.optimizers.Adam(Scheduled()), START, gradients)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-6)
    assert int(memory.count) == len(gradients)


def test_traced_learning_rate():
    def moved(rate):
        return by_optax(keras_adam(rate), START, random_gradients(1.0, 2))[0][-1]

    several = jax.jit(jax.vmap(moved))(jnp.array([0.1, 0.3]))
    for i, rate in enumerate((0.1, 0.3)):
        for a, b in zip(several, moved(rate), strict=True):
            np.testing.assert_allclose(a[i], b, rtol=2e-6, atol=1e-7)


def test_state_is_adams():
    memory = keras_adam().init(START)
    assert isinstance(memory, optax.ScaleByAdamState)
    assert memory.count.dtype == jnp.int32
    buffers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(memory)]
    assert len(set(buffers)) == len(buffers)
    assert ganjax.keras_adam is keras_adam


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": -1.0}, "learning_rate must be a schedule or a finite number >= 0, got -1.0"),
        ({"learning_rate": "fast"}, "learning_rate must be a schedule or"),
        ({"learning_rate": float("inf")}, "learning_rate must be"),
        ({"beta_1": 1.0}, r"beta_1 must be a number in \[0, 1\), got 1.0"),
        ({"beta_2": -0.1}, r"beta_2 must be a number in \[0, 1\)"),
        ({"epsilon": float("nan")}, "epsilon must be a finite number >= 0"),
    ],
)
def test_numbers_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        keras_adam(**settings)


# Loss scaling.


def test_scale_by_hand():
    scaling = LossScale(initial=8.0, period=2, factor=4.0)
    state, seen = scaling.init(), []
    for finite in [True, True, True, False, True, False, False, False, True, True]:
        state = jax.jit(scaling.after)(state, jnp.bool_(finite))
        seen.append((float(state.scale), int(state.good_steps), int(state.skipped)))
    assert seen == [
        (8, 1, 0), (32, 0, 0), (32, 1, 0), (8, 0, 1), (8, 1, 1),
        (2, 0, 2), (1, 0, 3), (1, 0, 4), (1, 1, 4), (4, 0, 4),
    ]  # fmt: skip


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5), st.sampled_from([1.5, 2.0, 1e20]))
def test_scale_stays_in_its_range(course, period, factor):
    scaling = LossScale(initial=2.0, period=period, factor=factor)
    state = scaling.init()
    for finite in course:
        before, state = state, scaling.after(state, jnp.bool_(finite))
        assert 1 <= float(state.scale) < np.inf
        assert (state.scale >= before.scale) if finite else (state.scale <= before.scale)
        assert [x.dtype for x in state] == [x.dtype for x in before]
    assert int(state.skipped) == course.count(False)


def test_scale_is_compiled_once():
    after = jax.jit(LossScale.after, static_argnums=0)
    state = LossScale().init()
    for finite in (True, False, True):
        state = after(LossScale(), state, jnp.bool_(finite))
    assert after._cache_size() == 1
    assert float(state.scale) == 2.0**14
    assert ganjax.LossScale is LossScale
    with pytest.raises(dataclasses.FrozenInstanceError):
        LossScale().period = 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"initial": 0.5}, "initial must be a finite number >= 1, got 0.5"),
        ({"initial": float("inf")}, "initial must be"),
        ({"period": 0}, "period must be a whole number of at least 1, got 0"),
        ({"period": 2.5}, "period must be a whole number"),
        ({"factor": 1.0}, "factor must be a finite number > 1, got 1.0"),
        ({"factor": None}, "factor must be"),
    ],
)
def test_scales_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        LossScale(**settings)


# Real updates.


def test_updates_of_multi_steps_are_counted():
    def skip(updates, gradient_step, params):
        return jnp.any(jnp.isnan(updates[0])), ()

    optimizer = optax.MultiSteps(optax.sgd(0.1), 2, should_skip_update_fn=skip).gradient_transformation()
    params, memory = [jnp.zeros(2)], optimizer.init([jnp.zeros(2)])
    counts = []
    for i, gradient in enumerate([1.0, 1.0, np.nan, 1.0, 1.0]):
        before = memory
        with jax.numpy_dtype_promotion("standard"):
            updates, memory = optimizer.update([jnp.full(2, gradient)], memory, params)
        changed = bool(jnp.any(updates[0] != 0))
        assert bool(has_updated(before, memory)) == changed
        counts.append(int(updates_done(memory, jnp.int32(i + 1))))
    assert counts == [0, 1, 1, 1, 2]


def test_every_gradient_is_an_update_of_the_others():
    memory = optax.adam(0.1).init(START)
    assert has_updated(memory, memory) is True
    assert int(updates_done(memory, jnp.int32(7))) == 7
