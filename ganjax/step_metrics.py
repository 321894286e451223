"""What a step says of itself: one float32 number for each of a few names."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from ganjax.stateless import Weights

Metrics = dict[str, jax.Array]
METRICS = (
    "generator_loss", "discriminator_loss", "penalty", "real_logits", "fake_logits", "real_accuracy",
    "fake_accuracy", "generator_gradient_norm", "discriminator_gradient_norm", "finite",
)  # fmt: skip
"""Losses (D's without penalties), penalties, mean logits, shares of logits on the right side of
0 (`accuracy`), norms of the gradients, and whether all of these are finite (1, else 0)."""


def of_discriminator(
    loss: jax.Array, penalty: jax.Array, logits: tuple[jax.Array, jax.Array], gradient: Weights
) -> Metrics:
    """Loss, penalty, mean logits `(real, fake)`, the share on the right side of 0, norm of the gradient."""
    real_logits, fake_logits = logits
    return {
        "discriminator_loss": loss,
        "penalty": penalty,
        "real_logits": jnp.mean(real_logits),
        "fake_logits": jnp.mean(fake_logits),
        "real_accuracy": jnp.mean(real_logits > 0, dtype=jnp.float32),
        "fake_accuracy": jnp.mean(fake_logits < 0, dtype=jnp.float32),
        "discriminator_gradient_norm": optax.tree.norm(gradient),
    }


def of_generator(loss: jax.Array, gradient: Weights) -> Metrics:
    """Loss and norm of the gradient."""
    return {"generator_loss": loss, "generator_gradient_norm": optax.tree.norm(gradient)}


def with_finite(metrics: Metrics) -> Metrics:
    """`metrics` and `finite`: 1 when all of them are, else 0."""
    finite = jnp.all(jnp.isfinite(jnp.stack(list(metrics.values()))))
    return metrics | {"finite": finite.astype(jnp.float32)}
