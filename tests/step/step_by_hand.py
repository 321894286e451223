"""One training step of a GAN written out in plain JAX: the two gradients of one written loss each.

Nothing here uses Keras, optax or ganjax to compute.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from by_hand import QUICK, Kind


class Adam(NamedTuple):
    rate: float = 2e-2
    b1: float = 0.5
    b2: float = 0.9
    # Large enough that a gradient which is nothing but rounding does not become a whole step.
    epsilon: float = 1e-3

    def __call__(self, network, gradient, statistics):
        """Kingma and Ba 2015, algorithm 1, on a NetworkState whose optimiser is optax's Adam."""
        memory = network.optimizer[0]
        t = memory.count + 1
        power = t.astype(jnp.float32)
        m = [self.b1 * m + (1 - self.b1) * g for m, g in zip(memory.mu, gradient, strict=True)]
        v = [self.b2 * v + (1 - self.b2) * g * g for v, g in zip(memory.nu, gradient, strict=True)]
        params = [
            p - self.rate * (m / (1 - self.b1**power)) / (jnp.sqrt(v / (1 - self.b2**power)) + self.epsilon)
            for p, m, v in zip(network.params, m, v, strict=True)
        ]
        return {"params": params, "statistics": statistics, "m": m, "v": v, "t": t}


def log_sigmoid(logits):
    return -jnp.log(1 + jnp.exp(-logits))


def cross_entropy_of_discriminator(real_logits, fake_logits):
    return -jnp.mean(log_sigmoid(real_logits)) / 2 - jnp.mean(log_sigmoid(-fake_logits)) / 2


def cross_entropy_of_generator(fake_logits):
    return -jnp.mean(log_sigmoid(fake_logits))


def step(kind: Kind, state, real, *, update: str, discriminator_updates: int, adam: Adam, ema_decay: float):
    """One step of the GAN by hand, binary cross-entropy: what the new state holds, and the metrics."""
    with jax.numpy_rank_promotion("allow"):
        keys = jax.random.split(jax.random.fold_in(state.key, state.step), discriminator_updates)
        batches = jnp.split(real, discriminator_updates)
        D = state.discriminator
        for key, batch in zip(keys[:-1], batches[:-1], strict=True):
            new, *_ = discriminator_update(kind, state.generator, D, batch, key, adam)
            D = as_network(new, D)
        key, batch = keys[-1], batches[-1]
        if update == "simultaneous":
            new_D, D_loss, logits, D_gradient = discriminator_update(
                kind, state.generator, D, batch, key, adam
            )
            G_key, G_sees = key, D
        else:
            key, G_key = jax.random.split(key)
            new_D, D_loss, logits, D_gradient = discriminator_update(
                kind, state.generator, D, batch, key, adam
            )
            G_sees = as_network(new_D, D)
        new_G, G_loss, G_gradient = generator_update(kind, state.generator, G_sees, batch, G_key, adam)
        t = state.step.astype(jnp.float32)
        decay = jnp.minimum(ema_decay, (1 + t) / (10 + t))
        real_logits, fake_logits = logits
        return {
            "generator": new_G,
            "discriminator": new_D,
            "ema": averaged(state.ema, new_G, decay),
            "metrics": {
                "generator_loss": G_loss,
                "discriminator_loss": D_loss,
                "penalty": jnp.zeros(()),
                "real_logits": jnp.mean(real_logits),
                "fake_logits": jnp.mean(fake_logits),
                "real_accuracy": jnp.mean((real_logits > 0).astype(jnp.float32)),
                "fake_accuracy": jnp.mean((fake_logits < 0).astype(jnp.float32)),
                "generator_gradient_norm": norm(G_gradient),
                "discriminator_gradient_norm": norm(D_gradient),
                "finite": jnp.ones(()),
            },
        }


def as_network(new, like):
    memory = like.optimizer[0]._replace(count=new["t"], mu=new["m"], nu=new["v"])
    return type(like)(new["params"], new["statistics"], (memory, *like.optimizer[1:]))


@functools.partial(jax.jit, compiler_options=QUICK)
def averaged(old, new, decay):
    def mean(a, b):
        return decay * a + (1 - decay) * b if jnp.issubdtype(b.dtype, jnp.floating) else b

    return {
        "params": [mean(a, b) for a, b in zip(old.params, new["params"], strict=True)],
        "statistics": [mean(a, b) for a, b in zip(old.statistics, new["statistics"], strict=True)],
    }


@functools.partial(jax.jit, compiler_options=QUICK)
def norm(gradient):
    return jnp.sqrt(sum(jnp.sum(g**2) for g in gradient))


def keys_of(update_key):
    """Keys of one update: for its latents, and for the passes of G, of D(real) and of D(fake)."""
    latent_key, _, _, layer_key = jax.random.split(update_key, 4)
    G_key, D_key, _, _ = jax.random.split(layer_key, 4)
    return latent_key, G_key, *jax.random.split(D_key)


@functools.partial(jax.jit, static_argnums=(0, 5), compiler_options=QUICK)
def discriminator_update(kind, G, D, real, key, adam):
    latent_key, G_key, real_key, fake_key = keys_of(key)
    latents = jax.random.normal(latent_key, (len(real), 3))
    fake, _ = kind.G(G.params, G.statistics, latents, G_key)

    def loss(params):
        real_logits, statistics = kind.D(params, D.statistics, real, real_key)
        fake_logits, statistics = kind.D(params, statistics, fake, fake_key)
        return cross_entropy_of_discriminator(real_logits, fake_logits), (
            (real_logits, fake_logits),
            statistics,
        )

    (value, (logits, statistics)), gradient = jax.value_and_grad(loss, has_aux=True)(D.params)
    return adam(D, gradient, statistics), value, logits, gradient


@functools.partial(jax.jit, static_argnums=(0, 5), compiler_options=QUICK)
def generator_update(kind, G, D, real, key, adam):
    latent_key, G_key, real_key, fake_key = keys_of(key)
    latents = jax.random.normal(latent_key, (len(real), 3))

    def loss(params):
        fake, statistics = kind.G(params, G.statistics, latents, G_key)
        _, D_statistics = kind.D(D.params, D.statistics, real, real_key)
        fake_logits, _ = kind.D(D.params, D_statistics, fake, fake_key)
        return cross_entropy_of_generator(fake_logits), statistics

    (value, statistics), gradient = jax.value_and_grad(loss, has_aux=True)(G.params)
    return adam(G, gradient, statistics), value, gradient
