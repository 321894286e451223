"""What an experiment's optimizers do to a parameter."""

import jax.numpy as jnp

from ganjax import stateless


def moves(optimizer, gradients):
    """What one parameter is moved by at each of these gradients."""
    with stateless.standard_promotion():
        memory, moved = optimizer.init(jnp.zeros(())), []
        for gradient in gradients:
            update, memory = optimizer.update(jnp.float32(gradient), memory)
            moved.append(float(update))
    return moved
