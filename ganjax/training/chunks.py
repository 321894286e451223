"""Chunks: many training steps for one return to Python.

Where the networks are dense, or on a GPU, a chunk is one compiled loop: for small networks the cost of a call
is many times that of a step. On a CPU, convolutions inside a compiled loop are several times slower than
outside (https://github.com/jax-ml/jax/issues/12868), so there a chunk is as many calls of one compiled step,
which JAX queues without waiting for each. Both forms do the same steps on the same batches.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ganjax.checks import check_real
from ganjax.datasets.batches import Source
from ganjax.draws import draw
from ganjax.gan import GAN
from ganjax.state import GANState
from ganjax.step import Metrics, play, train_step

LONGEST = 500  # steps in a chunk, at most
PLANNED = 2**18  # samples planned for a chunk, about: a plan may cost a permutation an epoch
BEFOREHAND = 2**20  # numbers drawn before a chunk's loop, at most: 4 MB

Chunk = Callable[[GANState, Source, jax.Array, int], tuple[GANState, Metrics]]


def compile_chunk(gan: GAN, batch: int, capacity: int) -> Chunk:
    """A function `(state, source, data_key, steps) -> (state, metrics)` of at most `capacity` train steps.

    `state` is donated. `metrics` holds one float32 array `(capacity,)` per name, of which the first `steps`
    entries are filled. Any number of steps up to `capacity` runs without compiling again.
    """
    queued = jax.default_backend() == "cpu" and has_convolutions(gan)
    form = _queued_chunk if queued else _compiled_chunk
    return form(gan, batch * gan.discriminator_updates, capacity)


def capacity_for(steps: int, batch: int) -> int:
    """A sensible `capacity` for a run of so many steps on batches of so many samples."""
    return max(1, min(LONGEST, steps, PLANNED // batch))


def has_convolutions(gan: GAN) -> bool:
    """Whether a network holds a kernel of more than two axes."""
    models = (gan.generator, gan.discriminator)
    return any(len(v.shape) > 2 for model in models for v in model.trainable_variables)


def _compiled_chunk(gan: GAN, batch: int, capacity: int) -> Chunk:
    def chunk(state, source, data_key, steps):
        def inputs(planned, step):
            real = source.fetch(planned, batch)
            check_real(real, gan.sample_shape, gan.discriminator_updates)
            return real, draw(gan, state.key, step, batch // gan.discriminator_updates)

        numbers = state.step + jnp.arange(capacity, dtype=jnp.int32)
        plan = (source.plan(data_key, state.step, capacity, batch), numbers)
        one = jax.eval_shape(inputs, *_at(plan, 0))
        if capacity * _size(one) <= BEFOREHAND and _same_under_vmap(state.key, data_key):
            all_inputs = jax.vmap(inputs)(*plan)
            inputs_of = functools.partial(_at, all_inputs)
        else:
            inputs_of = lambda i: inputs(*_at(plan, i))  # noqa: E731
        shapes = jax.eval_shape(lambda: play(gan, state, *inputs_of(0))[1])
        metrics = jax.tree.map(lambda m: jnp.zeros((capacity,), m.dtype), shapes)

        def body(i, carry):
            state, metrics = carry
            state, now = play(gan, state, *inputs_of(i))
            return state, jax.tree.map(lambda all, one: all.at[i].set(one), metrics, now)

        # A bound that is traced: the last chunk of a run may be shorter.
        return jax.lax.fori_loop(0, steps, body, (state, metrics))

    return jax.jit(chunk, donate_argnums=0)


def _queued_chunk(gan: GAN, batch: int, capacity: int) -> Chunk:
    planned = jax.jit(lambda source, key, step: source.plan(key, step, capacity, batch))
    step = jax.jit(
        lambda state, source, plan, i: train_step(gan, state, source.fetch(_at(plan, i), batch)),
        donate_argnums=0,
    )

    def chunk(state, source, data_key, steps):
        plan = planned(source, data_key, state.step)
        rows = []
        for i in range(steps):
            state, metrics = step(state, source, plan, jnp.int32(i))
            rows.append(metrics)
        rows += rows[-1:] * (capacity - steps)
        return state, {name: jnp.stack([row[name] for row in rows]) for name in rows[0]}

    return chunk


def _at(plan: Any, i: Any) -> Any:
    return jax.tree.map(lambda x: x[i], plan)


def _size(tree: Any) -> int:
    return sum(x.size for x in jax.tree.leaves(tree))


def _same_under_vmap(*keys: jax.Array) -> bool:
    """Whether these kinds of key draw the same numbers for many steps at once as for one after another."""
    return all(str(jax.random.key_impl(key)) == "threefry2x32" for key in keys)
