"""One member of a population, as pure functions that `vmap` and `lax.map` make many of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from ganjax.datasets.batches import Source
from ganjax.gan import GAN
from ganjax.sampling import generate
from ganjax.state import GANState, init_state
from ganjax.step import Metrics
from ganjax.training.chunks import steps_of

GANFamily = GAN | Callable[..., GAN]
"""A GAN, or a function of hyperparameters by name, each a float32 or int32 scalar, that gives one.

The function is called while the program is traced: the numbers have no values then. What it may do with them
is arithmetic and handing them on, to optax, to a penalty's weight, to `Normal` and `ema_decay`; networks do
not follow from them, nor does anything that has a shape.
"""

Values = dict[str, jax.Array]


def member_gan(family: GANFamily, values: Values) -> GAN:
    """The GAN with these hyperparameters.

    Raises:
        ValueError: it is a GAN by itself, and takes none.
    """
    if not isinstance(family, GAN):
        return family(**values)
    if values:
        raise ValueError(
            f"a GAN takes no values: give a function of {', '.join(values)} that gives one, in its place"
        )
    return family


def keys_of(key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What initial weights, batches and samples draw from, as in `training.session.RunInputs`."""
    init_key, data_key, _, score_key = jax.random.split(key, 4)
    return init_key, data_key, score_key


def initial(family: GANFamily) -> Callable[[jax.Array, Values], GANState]:
    """`(key, values) -> state` before the first step."""
    return lambda key, values: init_state(member_gan(family, values), keys_of(key)[0])


def steps(family: GANFamily, batch: int, capacity: int) -> Callable[..., tuple[GANState, Metrics]]:
    """`(state, key, values, source, count) -> (state, metrics)`: a chunk of at most `capacity` steps."""

    def chunk(state: GANState, key: jax.Array, values: Values, source: Source, count: Any):
        gan = member_gan(family, values)
        return steps_of(gan, batch * gan.discriminator_updates, capacity)(
            state, source, keys_of(key)[1], count
        )

    return chunk


def samples(family: GANFamily, n: int, ema: bool) -> Callable[[GANState, jax.Array, Values], jax.Array]:
    """`(state, key, values) -> (n, *sample_shape)`."""
    return lambda state, key, values: generate(member_gan(family, values), state, keys_of(key)[2], n, ema=ema)
