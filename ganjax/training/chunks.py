"""Chunks: many training steps for one return to Python.

Where the networks are dense, or on a GPU, a chunk is one compiled loop: for small networks the cost of a call
is many times that of a step. What the steps draw, and their batches, are made before the loop where they are
small: a turn of the loop then has that many operations less. With convolutions on a CPU, a chunk is as many
calls of one compiled step, which JAX queues without waiting for each: little is lost, and a convolution
without a fast form is many times slower within one (https://github.com/jax-ml/jax/issues/12868). Both forms
do the same steps on the same batches.

`python -m benchmarks chunk-forms WORKLOAD`, milliseconds a step on 2 cores of an AMD EPYC with AVX-512,
JAX 0.10.2, medians of rounds that alternate:

    GAN                               compiled loop    four steps a turn    queued calls
    MLP 3x16, batch 64                         0.040                0.040            0.128
    MLP 3x128, batch 256                       0.79                 0.77             0.87
    DCGAN 32 px, width 32, batch 64           21.2                 20.7             22.5
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ganjax.datasets.batches import Source
from ganjax.gan import GAN
from ganjax.labelled import check_real
from ganjax.state import GANState
from ganjax.step import METRICS, Metrics, draw, step_with_draws, train_step

LONGEST = 500  # steps in a chunk, at most
PLANNED = 2**18  # samples planned for a chunk, about: a plan may cost a permutation an epoch
BEFOREHAND = 2**20  # numbers drawn before a chunk's loop, at most: 4 MB

Chunk = Callable[[GANState, Source, jax.Array, int], tuple[GANState, Metrics]]
Traceable = Callable[[GANState, Source, jax.Array, Any], tuple[GANState, Metrics]]


def compile_chunk(gan: GAN, batch: int, capacity: int) -> Chunk:
    """A function `(state, source, data_key, steps) -> (state, metrics)` of at most `capacity` train steps.

    `state` is donated. `metrics` holds one float32 array `(capacity,)` per name, of which the first `steps`
    entries are filled. Any number of steps up to `capacity` runs without compiling again.
    """
    queued = jax.default_backend() == "cpu" and has_convolutions(gan)
    form = _queued_chunk if queued else _compiled_chunk
    return form(gan, batch * gan.discriminator_updates, capacity)


def compile_population(gan: GAN, batch: int, capacity: int, *, one_source: bool) -> Chunk:
    """A chunk for many states at once: like `compile_chunk`, in the form of the compiled loop.

    State and data keys have a first axis of members (and the source, unless all share `one_source`); metrics
    are `(capacity, members)`. All members take the same number of steps. A member's bits depend on how many
    there are, but not on who the others are.
    """
    steps = steps_of(gan, batch * gan.discriminator_updates, capacity)
    # The bound of the loop is nobody's own: it stays a number, and the loop stays a loop.
    axes = (0, None if one_source else 0, 0, None)
    return jax.jit(jax.vmap(steps, in_axes=axes, out_axes=(0, 1)), donate_argnums=0)


def capacity_for(steps: int, batch: int) -> int:
    """A sensible `capacity` for a run of so many steps on batches of so many samples."""
    return max(1, min(LONGEST, steps, PLANNED // batch))


def has_convolutions(gan: GAN) -> bool:
    """Whether a network holds a kernel of more than two axes."""
    models = (gan.generator, gan.discriminator)
    return any(len(v.shape) > 2 for model in models for v in model.trainable_variables)


def same_under_vmap(*keys: jax.Array) -> bool:
    """Whether these kinds of key draw the same numbers for many steps at once as for one after another."""
    return all(str(jax.random.key_impl(key)) == "threefry2x32" for key in keys)


def _compiled_chunk(gan: GAN, batch: int, capacity: int) -> Chunk:
    return jax.jit(steps_of(gan, batch, capacity), donate_argnums=0)


def steps_of(gan: GAN, batch: int, capacity: int) -> Traceable:
    """What `compile_chunk` compiles, in the form of the loop: within a trace, a GAN may hold traced numbers.

    Args:
        gan: the GAN.
        batch: real samples in a step, of all its updates of D.
        capacity: steps, at most.
    """

    def chunk(state, source, data_key, steps):
        def inputs(planned, step):
            real = source.fetch(planned, batch)
            check_real(real, gan.sample_shape, gan.label_shape, gan.discriminator_updates, gan.packing)
            return real, draw(gan, state.key, step, batch // gan.discriminator_updates)

        numbers = state.step + jnp.arange(capacity, dtype=jnp.int32)
        plan = (source.plan(data_key, state.step, capacity, batch), numbers)
        one = jax.eval_shape(inputs, *_at(plan, 0))
        beforehand = capacity * _size(one) <= BEFOREHAND and same_under_vmap(state.key, data_key)
        drawn = jax.vmap(inputs)(*plan) if beforehand else None

        def body(i, carry):
            state, rows = carry
            real, draws = _at(drawn, i) if beforehand else inputs(*_at(plan, i))
            state, metrics = step_with_draws(gan, state, real, draws)
            return state, rows.at[i].set(_row(metrics))

        # A bound that is traced: the last chunk of a run may be shorter.
        state, rows = jax.lax.fori_loop(0, steps, body, (state, _no_rows(capacity)))
        return state, _by_name(rows)

    return chunk


def _queued_chunk(gan: GAN, batch: int, capacity: int) -> Chunk:
    @jax.jit
    def begin(source, data_key, step):
        # The step is returned too: the state that holds it will be donated.
        return source.plan(data_key, step, capacity, batch), step, _no_rows(capacity)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(state, rows, source, plan, first):
        i = state.step - first
        state, metrics = train_step(gan, state, source.fetch(_at(plan, i), batch))
        return state, rows.at[i].set(_row(metrics))

    def chunk(state, source, data_key, steps):
        plan, first, rows = begin(source, data_key, state.step)
        for _ in range(steps):
            state, rows = step(state, rows, source, plan, first)
        return state, jax.jit(_by_name)(rows)

    return chunk


def _no_rows(capacity: int) -> jax.Array:
    return jnp.zeros((capacity, len(METRICS)), jnp.float32)


def _row(metrics: Metrics) -> jax.Array:
    return jnp.stack([metrics[name] for name in METRICS])


def _by_name(rows: jax.Array) -> Metrics:
    return dict(zip(METRICS, rows.T, strict=True))


def _at(plan: Any, i: Any) -> Any:
    return jax.tree.map(lambda x: x[i], plan)


def _size(tree: Any) -> int:
    return sum(x.size for x in jax.tree.leaves(tree))
