"""A GAN of very small networks, made of four hyperparameters."""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax

import ganjax
from ganjax import stateless

LAYERS = keras.layers
STEPS, BATCH = 6, 8

VALUES = {
    "learning_rate": [0.01, 0.02, 0.03],
    "weight": [1.0, 0.0, 0.5],
    "scale": [1.0, 2.0, 0.5],
    "ema_decay": [0.0, 0.9, 0.3],
}


@functools.cache
def networks():
    generator = [LAYERS.Input((2,)), LAYERS.Dense(4, "tanh"), LAYERS.Dense(2)]
    discriminator = [LAYERS.Input((2,)), LAYERS.Dense(4, "tanh"), LAYERS.Dense(1)]
    return stateless.without_values(lambda: (keras.Sequential(generator), keras.Sequential(discriminator)))


traced = []


def family(learning_rate, weight, scale, ema_decay):
    traced.append(isinstance(learning_rate, jax.core.Tracer))
    adam = optax.adam(learning_rate)
    return ganjax.GAN(
        *networks(),
        penalties=(ganjax.R1(weight),),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        latent=ganjax.Normal(scale=scale),
        ema_decay=ema_decay,
    )


def keys(*seeds):
    return jnp.stack([jax.random.key(seed) for seed in seeds])


def column(i):
    """The hyperparameters of the i-th member."""
    return {name: value[i] for name, value in VALUES.items()}


def alone(gan, seed, source):
    """Every state of a single run, one step at a time, and its metrics."""
    init_key, data_key, _, _ = jax.random.split(jax.random.key(seed), 4)
    step = jax.jit(ganjax.train_step, static_argnums=0)
    states, metrics = [ganjax.init_state(gan, init_key)], []
    plan = source.plan(data_key, 0, STEPS, BATCH)
    for i in range(STEPS):
        state, now = step(gan, states[-1], source.fetch(plan[i], BATCH))
        states.append(state)
        metrics.append(now)
    return states, {name: np.stack([now[name] for now in metrics]) for name in metrics[0]}


def plain(tree):
    """Every array; of keys, their bits."""
    leaves = jax.tree.leaves(tree)
    return [
        np.asarray(jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x)
        for x in leaves
    ]


def close(one, other):
    for a, b in zip(plain(one), plain(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def same_bits(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(plain(one), plain(other), strict=True))
