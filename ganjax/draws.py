"""What a training step draws: latents, and keys for everything else that is random."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from ganjax.gan import GAN
from ganjax.sampling import sample_latent


class Draw(NamedTuple):
    """What one update draws: latents `(batch, *gan.latent_shape)` and keys.

    These are for D's penalties, for `augment`, for the random layers of the networks, and for losses and G's
    penalties; the last two are None where nothing needs them.
    """

    latents: Any
    penalty_key: jax.Array
    augment_key: jax.Array
    layer_key: jax.Array | None = None
    loss_key: jax.Array | None = None


def layer_keys(drawn: Draw) -> Any:
    """Keys for the random layers of G, of D, of D in its penalties, of D unrolled, of G in its penalties."""
    if drawn.layer_key is None:
        return [None] * 5
    return [*jax.random.split(drawn.layer_key, 4), jax.random.fold_in(drawn.layer_key, 4)]


def loss_keys(drawn: Draw) -> Any:
    """Keys for D's loss, for G's, and for G's penalties."""
    return [None] * 3 if drawn.loss_key is None else jax.random.split(drawn.loss_key, 3)


class Draws(NamedTuple):
    """What one step draws.

    Attributes:
        discriminator: one `Draw` for each update of D. In simultaneous updates G shares the last of them.
        generator: for G's own update when it alternates with D's, otherwise None.
    """

    discriminator: tuple[Draw, ...]
    generator: Draw | None


def draw(gan: GAN, key: jax.Array, step: jax.Array, batch: int) -> Draws:
    """Everything random in step `step`: it follows from `fold_in(key, step)` alone.

    Args:
        gan: whose step it is.
        key: the state's key.
        step: int32 scalar.
        batch: samples in one update.
    """
    needs_loss_key = "key" in gan.losses_ask_for or gan.generator_penalties

    def one(key: jax.Array) -> Draw:
        latent_key, penalty_key, augment_key = jax.random.split(key, 3)
        layer_key = jax.random.fold_in(key, 3) if gan.is_random else None
        loss_key = jax.random.fold_in(key, 4) if needs_loss_key else None
        return Draw(sample_latent(gan, latent_key, batch), penalty_key, augment_key, layer_key, loss_key)

    *early, last = jax.random.split(jax.random.fold_in(key, step), gan.discriminator_updates)
    generator = None
    if gan.update == "alternating":
        last, generator_key = jax.random.split(last)
        generator = one(generator_key)
    return Draws((*map(one, early), one(last)), generator)
