"""What the steps written out by hand share: Keras models as functions, descent, and how weights are compared.

Nothing here uses ganjax to compute: a model's values come from Keras itself, gradients from `jax.grad`. What
ganjax draws is read with `ganjax.draws.draw`; the seeds of random layers are made as ganjax makes them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

import ganjax
from ganjax.draws import draw

BATCH, RATE, STEPS = 4, 0.1, 3


@contextlib.contextmanager
def loose_promotion() -> Iterator[None]:
    """Keras needs what these tests forbid everywhere else."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def forward(model: keras.Model, first: list[jax.Array]) -> Callable[..., Any]:
    """`(params, inputs, key=None) -> outputs` of a model in training.

    The key is of this pass, for random layers. `first` are the statistics before the first step: no values in
    training depend on how they change.
    """

    def call(params: list[jax.Array], inputs: Any, key: jax.Array | None = None) -> Any:
        statistics = list(first)
        seeds = [i for i, v in enumerate(model.non_trainable_variables) if v.dtype == "uint32"]
        for order, place in enumerate(seeds):
            assert key is not None
            statistics[place] = jax.random.bits(jax.random.fold_in(key, order), (2,), "uint32")
        with loose_promotion():
            return model.stateless_call(params, statistics, inputs, training=True)[0]

    return call


def pass_keys(drawn: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Keys of an update's passes with random layers: of G, of D(real), of D(fake)."""
    G_key, D_key, _, _ = jax.random.split(drawn.layer_key, 4)
    return (G_key, *jax.random.split(D_key))


def minus_log_sigmoid(logits: jax.Array) -> jax.Array:
    return jnp.mean(jnp.log(1 + jnp.exp(-logits)))


def descend(
    loss: Callable[[list[jax.Array]], jax.Array], params: list[jax.Array], rate: float = RATE
) -> list[jax.Array]:
    return [p - rate * g for p, g in zip(params, jax.grad(loss)(params), strict=True)]


def follow(
    step: Callable[..., Any], gan: ganjax.GAN, start: ganjax.GANState, batches: Any, *memory: Any
) -> tuple[Any, ...]:
    """`(G's params, D's params, *memory)` after one step for each batch, with the numbers that ganjax draws.

    `step` is `(G's params, D's params, real, draws, *memory) -> (G's params, D's params, *memory)`.
    """
    step = jax.jit(step)
    now: tuple[Any, ...] = (start.generator.params, start.discriminator.params, *memory)
    for i, real in enumerate(batches):
        G, D, *memory = now
        now = step(G, D, real, draw(gan, start.key, jnp.int32(i), BATCH), *memory)
    return now


def assert_agree(
    start: ganjax.GANState, end: ganjax.GANState, G: Any, D: Any, *, tolerance: float = 1e-5
) -> None:
    """Assert that `end`, of the same steps, has the weights G and D but for rounding, and that both moved.

    `tolerance` is the largest difference allowed, in units of the network's largest weight.
    """
    assert int(end.step) == STEPS
    for name, expected in (("generator", G), ("discriminator", D)):
        before, after = getattr(start, name).params, getattr(end, name).params
        largest = max(float(jnp.max(jnp.abs(w))) for w in expected)
        difference = distance(after, expected) / largest
        assert difference <= tolerance, f"{name}: {difference}"
        assert distance(before, expected) > 100 * tolerance * largest, f"{name} has hardly moved"


def distance(a: list[jax.Array], b: list[jax.Array]) -> float:
    """The largest difference between two lists of weights."""
    return max(float(np.max(np.abs(np.asarray(x) - np.asarray(y)))) for x, y in zip(a, b, strict=True))
