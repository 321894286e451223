"""Writes the folder of a workload (see work.py).

    python -m benchmarks.throughput.preparation FOLDER WORKLOAD PRECISION DEVICE

It is a separate process in the environment with JAX, so that the process that starts the paths needs neither
JAX nor Keras, nor their memory.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import ganjax
from benchmarks.throughput import work
from benchmarks.throughput.flops import step_flops
from benchmarks.throughput.gan import EPSILON, make_gan
from benchmarks.throughput.workloads import WORKLOADS, Workload

DATA_SEED = 2**31


def prepare(folder: Path, workload: Workload, precision: str, device: str) -> None:
    """Write the folder: networks, initial weights, batches, and the latents of the checked steps."""
    generator, discriminator = workload.networks(precision)
    spec = {
        field.name: getattr(workload, field.name)
        for field in dataclasses.fields(workload)
        if field.name not in ("name", "pair", "real", "pictures", "large")
    } | {
        "workload": workload.name,
        "precision": precision,
        "device": device,
        "epsilon": EPSILON,
        "flops_per_step": step_flops(generator, discriminator, workload.batch, seeds=workload.seeds),
    }
    gan = make_gan(spec, generator, discriminator)
    spec["latent_shape"] = gan.latent_shape
    models = dict(zip(work.NETWORKS, (generator, discriminator), strict=True))
    spec["trained"] = {name: len(model.trainable_variables) for name, model in models.items()}
    keys = jax.vmap(jax.random.key)(jnp.arange(workload.seeds))
    states = jax.jit(jax.vmap(ganjax.init_state, (None, 0)), static_argnums=0)(gan, keys)
    latents = jax.jit(jax.vmap(lambda key: checked_latents(gan, key, workload.batch)))(states.key)
    data_keys = jax.random.split(jax.random.key(DATA_SEED), work.BATCHES)
    batches = jax.lax.map(lambda key: workload.real(key, workload.batch), data_keys)
    if spec["ema_decay"]:
        spec["trained"][work.AVERAGE] = spec["trained"]["generator"]
    weights = {
        name: [np.asarray(array) for array in [*network.params, *network.statistics]]
        for name, network in (
            ("generator", states.generator),
            ("discriminator", states.discriminator),
            (work.AVERAGE, states.ema),
        )
        if name in spec["trained"]
    }
    work.write(
        folder,
        spec,
        np.asarray(batches),
        np.asarray(latents),
        weights,
        np.asarray(jax.random.key_data(states.key)),
    )
    first = jax.tree.map(lambda leaf: leaf[0], states)
    for name, model in zip(work.NETWORKS, ganjax.export_models(gan, first, ema=False), strict=True):
        model.save(folder / f"{name}.keras")


def checked_latents(gan: ganjax.GAN, key: jax.Array, batch: int) -> jax.Array:
    """The latents that `train_step` draws in the first steps of a state with this key.

    It splits the key as `ganjax.step` does; a test compares the two.
    """

    def at(step: jax.Array) -> jax.Array:
        (step_key,) = jax.random.split(jax.random.fold_in(key, step), 1)
        latent_key, _ = jax.random.split(step_key)
        return ganjax.sample_latent(gan, latent_key, batch)

    return jax.vmap(at)(jnp.arange(work.CHECKED_STEPS))


if __name__ == "__main__":
    folder, name, precision, device = sys.argv[1:]
    prepare(Path(folder), WORKLOADS[name], precision, device)
