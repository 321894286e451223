"""Chunks: many training steps between two returns to Python.

For dense networks, and on a GPU, a chunk is one compiled loop: for small networks a call costs many times as
much as a step. Random draws and batches are computed before the loop if they are small, so that each
iteration has fewer operations. With convolutions on a CPU, a chunk is a sequence of calls of one compiled
step, which JAX queues without waiting: this costs little, and inside a compiled loop convolutions that
`fast_convolutions` does not replace are many times slower (https://github.com/jax-ml/jax/issues/12868). Both
forms do the same steps on the same batches.

`python -m benchmarks chunk-forms WORKLOAD`, milliseconds per step on 2 cores of an AMD EPYC with AVX-512,
JAX 0.10.2, medians of alternating rounds:

    GAN                               compiled loop    unrolled 4 times     queued calls
    MLP 3x16, batch 64                         0.040                0.040            0.128
    MLP 3x128, batch 256                       0.79                 0.77             0.87
    DCGAN 32 px, width 32, batch 64           21.2                 20.7             22.5
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import jax
import jax.numpy as jnp

from ganjax import losses
from ganjax.datasets.batches import Source
from ganjax.draws import draw
from ganjax.gan import GAN
from ganjax.labelled import check_real
from ganjax.state import GANState
from ganjax.step import METRICS, Metrics, step_with_draws, train_step

MAX_STEPS = 500  # in a chunk
MAX_PLANNED = 2**18  # samples in a chunk, roughly: a plan may cost one permutation per epoch
MAX_DRAWN = 2**20  # numbers drawn before the loop of a chunk: 4 MB

Chunk = Callable[[GANState, Source, jax.Array, int], tuple[GANState, Metrics]]
Traceable = Callable[[GANState, Source, jax.Array, Any], tuple[GANState, Metrics]]


def compile_chunk(gan: GAN, batch: int, capacity: int) -> Chunk:
    """A function `(state, source, data_key, steps) -> (state, metrics)` of at most `capacity` train steps.

    `state` is donated. `metrics` holds one float32 array `(capacity,)` per name, of which the first `steps`
    entries are filled. Any number of steps up to `capacity` runs without recompilation.
    """
    queued = jax.default_backend() == "cpu" and has_convolutions(gan)
    form = _queued_chunk if queued else _compiled_chunk
    return form(gan, batch * gan.discriminator_updates, capacity)


def compile_population(gan: GAN, batch: int, capacity: int, *, one_source: bool) -> Chunk:
    """A chunk for many states at once: like `compile_chunk`, always as a compiled loop.

    State and data keys have a leading axis of members (and so does the source, unless `one_source`); metrics
    are `(capacity, members)`. All members do the same number of steps. The bits of a member depend on the
    number of members, but not on the other members.
    """
    steps = steps_of(gan, batch * gan.discriminator_updates, capacity)
    # The number of steps is not batched, so that vmap keeps the loop a loop.
    axes = (0, None if one_source else 0, 0, None)
    return jax.jit(jax.vmap(steps, in_axes=axes, out_axes=(0, 1)), donate_argnums=0)


def capacity_for(steps: int, batch: int) -> int:
    """A sensible `capacity` for a run of `steps` steps on batches of `batch` samples."""
    return max(1, min(MAX_STEPS, steps, MAX_PLANNED // batch))


def has_convolutions(gan: GAN) -> bool:
    """Whether one of the networks has a kernel of more than two axes."""
    models = (gan.generator, gan.discriminator)
    return any(len(v.shape) > 2 for model in models for v in model.trainable_variables)


def same_under_vmap(*keys: jax.Array) -> bool:
    """Whether keys of these kinds draw the same numbers under `vmap` as without it."""
    return all(str(jax.random.key_impl(key)) == "threefry2x32" for key in keys)


def _compiled_chunk(gan: GAN, batch: int, capacity: int) -> Chunk:
    return jax.jit(steps_of(gan, batch, capacity), donate_argnums=0)


def steps_of(gan: GAN, batch: int, capacity: int) -> Traceable:
    """The compiled loop of `compile_chunk` as a traceable function; the GAN may contain traced numbers.

    Args:
        gan: the GAN.
        batch: real samples in a step, for all its updates of D.
        capacity: largest number of steps.
    """

    def chunk(state, source, data_key, steps):
        def inputs(planned, step):
            real = source.fetch(planned, batch)
            check_real(real, gan.sample_spec, gan.label_spec, gan.discriminator_updates, gan.packing)
            return real, draw(gan, state.key, step, batch // gan.discriminator_updates)

        numbers = state.step + jnp.arange(capacity, dtype=jnp.int32)
        plan = (source.plan(data_key, state.step, capacity, batch), numbers)
        one = jax.eval_shape(inputs, *_at(plan, 0))
        draw_first = capacity * _size(one) <= MAX_DRAWN and same_under_vmap(state.key, data_key)
        drawn = jax.vmap(inputs)(*plan) if draw_first else None
        names = metric_names(gan, state, one[0])

        def body(i, carry):
            state, rows = carry
            real, draws = _at(drawn, i) if draw_first else inputs(*_at(plan, i))
            state, metrics = step_with_draws(gan, state, real, draws)
            return state, rows.at[i].set(_row(metrics, names))

        # The bound is traced: the last chunk of a run may be shorter, without recompilation.
        state, rows = jax.lax.fori_loop(0, steps, body, (state, _no_rows(capacity, names)))
        return state, _by_name(rows, names)

    return chunk


def _queued_chunk(gan: GAN, batch: int, capacity: int) -> Chunk:
    names: tuple[str, ...] = ()  # known once there is a batch

    @jax.jit
    def begin(source, data_key, step):
        # The step is returned too, because the state that contains it will be donated.
        return source.plan(data_key, step, capacity, batch), step, _no_rows(capacity, names)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(state, rows, source, plan, first):
        i = state.step - first
        state, metrics = train_step(gan, state, source.fetch(_at(plan, i), batch))
        return state, rows.at[i].set(_row(metrics, names))

    def first_batch(source, data_key, step):
        return source.fetch(_at(source.plan(data_key, step, 1, batch), 0), batch)

    def chunk(state, source, data_key, steps):
        nonlocal names
        names = names or metric_names(gan, state, jax.eval_shape(first_batch, source, data_key, state.step))
        plan, first, rows = begin(source, data_key, state.step)
        for _ in range(steps):
            state, rows = step(state, rows, source, plan, first)
        return state, jax.jit(_by_name, static_argnums=1)(rows, names)

    return chunk


def metric_names(gan: GAN, state: GANState, real: Any) -> tuple[str, ...]:
    """Names of all that a step of this GAN reports: `METRICS`, and then what the GAN adds.

    Args:
        gan: the GAN.
        state, real: arguments of its step, or their shapes.
    """
    of_ganjax = all(isinstance(f, FunctionType) and f.__module__ == losses.__name__ for f in gan.loss)
    if of_ganjax and not (gan.losses_ask_for or gan.generator_penalties or gan.loss_scale):
        return METRICS  # without tracing a step to see
    _, metrics = jax.eval_shape(functools.partial(train_step, gan), state, real)
    return (*METRICS, *sorted(metrics.keys() - set(METRICS)))


def _no_rows(capacity: int, names: tuple[str, ...]) -> jax.Array:
    return jnp.zeros((capacity, len(names)), jnp.float32)


def _row(metrics: Metrics, names: tuple[str, ...]) -> jax.Array:
    return jnp.stack([metrics[name] for name in names])


def _by_name(rows: jax.Array, names: tuple[str, ...]) -> Metrics:
    return dict(zip(names, rows.T, strict=True))


def _at(plan: Any, i: Any) -> Any:
    return jax.tree.map(lambda x: x[i], plan)


def _size(tree: Any) -> int:
    return sum(x.size for x in jax.tree.leaves(tree))
