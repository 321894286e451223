"""A workload as a ganjax GAN, and Keras's Adam as an optax transformation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras
import optax

from ganjax.gan import GAN, Normal

EPSILON = 1e-7  # Keras's default


def make_gan(spec: Mapping[str, Any], generator: keras.Model, discriminator: keras.Model) -> GAN:
    """The GAN of two networks under the settings of a `Work.spec`."""
    adam = keras_adam(spec["learning_rate"], spec["beta_1"], spec["beta_2"], spec["epsilon"])
    return GAN(
        generator,
        discriminator,
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        latent=Normal(scale=spec["latent_scale"]),
        ema_decay=spec["ema_decay"],
    )


def keras_adam(learning_rate: float, b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """Adam as computed by `keras.optimizers.Adam`, so that all paths make the same updates.

    At step t: m <- m + (1 - b1) (g - m), v <- v + (1 - b2) (g^2 - v), and the update is
    -lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps). The epsilon is the paper's "epsilon hat" (Kingma
    and Ba 2015, end of section 2): it is added before the bias of v is corrected, in `optax.adam` after.
    """

    def init(params: Any) -> optax.ScaleByAdamState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), zeros, jax.tree.map(jnp.copy, zeros))

    def update(gradient: Any, state: optax.ScaleByAdamState, params: Any = None) -> tuple[Any, Any]:
        count = state.count + 1
        t = count.astype(jnp.float32)
        rate = learning_rate * jnp.sqrt(1 - b2**t) / (1 - b1**t)
        mu = jax.tree.map(lambda m, g: m + (1 - b1) * (g - m), state.mu, gradient)
        nu = jax.tree.map(lambda v, g: v + (1 - b2) * (g * g - v), state.nu, gradient)
        updates = jax.tree.map(lambda m, v: -rate * m / (jnp.sqrt(v) + eps), mu, nu)
        return updates, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(init, update)
