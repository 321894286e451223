"""Everything random in a step of the game, drawn beforehand."""

from __future__ import annotations

from typing import NamedTuple

import jax

from ganjax.gan import GAN
from ganjax.sampling import sample_latent


class Draw(NamedTuple):
    """What one update draws: latents `(batch, *gan.latent_shape)`, keys for penalties and for `augment`."""

    latents: jax.Array
    penalty_key: jax.Array
    augment_key: jax.Array


class Draws(NamedTuple):
    """What one step draws.

    Attributes:
        discriminator: one `Draw` for each update of D, the last of which G shares when both are simultaneous.
        generator: for G's own update when it alternates with D's, otherwise None.
    """

    discriminator: tuple[Draw, ...]
    generator: Draw | None


def draw(gan: GAN, key: jax.Array, step: jax.Array, batch: int) -> Draws:
    """The draws of step `step`: they follow from `fold_in(key, step)` alone.

    Args:
        gan: the game.
        key: the state's key.
        step: int32 scalar.
        batch: samples in one update.
    """

    def one(key: jax.Array) -> Draw:
        latent_key, *others = jax.random.split(key, 3)
        return Draw(sample_latent(gan, latent_key, batch), *others)

    *early, last = jax.random.split(jax.random.fold_in(key, step), gan.discriminator_updates)
    generator = None
    if gan.update == "alternating":
        last, generator_key = jax.random.split(last)
        generator = one(generator_key)
    return Draws((*map(one, early), one(last)), generator)
