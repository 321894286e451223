"""Pure functions of one member of a population, for `vmap` and `lax.map`."""

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
"""A GAN, or a function from hyperparameters (keyword arguments, float32 or int32 scalars) to a GAN.

The function is called while the program is traced, so its arguments are tracers. It may compute with them and
pass them to optax, to the weight of a penalty, to `Normal` and to `ema_decay`. Networks, and anything else
that has a shape, must not depend on them.
"""

Values = dict[str, jax.Array]


def member_gan(family: GANFamily, values: Values) -> GAN:
    """The GAN with these hyperparameters.

    Raises:
        ValueError: the family is a single GAN, which takes no values.
    """
    if not isinstance(family, GAN):
        return family(**values)
    if values:
        raise ValueError(
            f"a GAN takes no values: pass a function of {', '.join(values)} that returns a GAN instead"
        )
    return family


def keys_of(key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Keys of initial weights, batches and samples, as in `training.session.RunInputs`."""
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
