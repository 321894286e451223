"""A user's program: pyright in strict mode finds no mistake in it, and knows every type that ganjax gives.

It is checked, not run (`test_typing.py`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import assert_type

import jax
import keras
import numpy as np
from typed_parts import adam, compiled, perceptron

import ganjax
from ganjax import (
    augmentations,
    datasets,
    experiments,
    losses,
    metrics,
    networks,
    populations,
    training,
    viewing,
)

# The core.
gan = ganjax.GAN(
    perceptron(8, 2),
    networks.mlp(2, [64, 64], 1),
    loss=losses.wasserstein,
    penalties=(ganjax.WGANGP(10.0), ganjax.R1(0.1), ganjax.R2(lambda step: 0.1 / (1 + step))),
    generator_optimizer=adam(1e-3),
    discriminator_optimizer=adam(1e-3),
    latent=ganjax.Normal(scale=2.0),
    update="alternating",
    discriminator_updates=5,
)
key = jax.random.key(0)
state = assert_type(ganjax.init_state(gan, key), ganjax.GANState)
real = assert_type(datasets.toy.ring(key, 5 * 64), jax.Array)
step = compiled(ganjax.train_step)
state, scalars = step(gan, state, real)
state, scalars = step(gan, state, ganjax.Labelled(real, real))
assert_type(scalars["discriminator_loss"], jax.Array)
assert_type(state.generator, ganjax.NetworkState)
samples = assert_type(ganjax.generate(gan, state, key, n=100, ema=False), jax.Array)
assert_type(ganjax.decode(gan, state, ganjax.sample_latent(gan, key, 3)), jax.Array)
logits = assert_type(ganjax.discriminate(gan, state, samples), jax.Array)
assert_type(ganjax.generator_loss(logits), jax.Array)
assert_type(ganjax.discriminator_loss(logits, logits), jax.Array)
assert_type(losses.hinge, ganjax.Loss)
hinge: jax.Array = losses.hinge.generator(logits, logits)
weighted = assert_type(losses.combine({losses.hinge: 1.0, losses.l1: 100.0}), ganjax.Loss)
assert_type(augmentations.diff_augment(key, real), jax.Array)

# A state in other forms.
assert_type(ganjax.export_models(gan, state), tuple[keras.Model, keras.Model])
arrays = ganjax.state_to_arrays(state)
assert_type(arrays, dict[str, np.ndarray])
assert_type(ganjax.arrays_to_state(gan, arrays), ganjax.GANState)
assert_type(ganjax.state_digest(state), str)


# Losses, penalties and augmentations of the user's own.
def flipped(key: jax.Array, images: jax.Array) -> jax.Array:
    return -images


def small_logits(
    discriminator: Callable[[jax.Array], jax.Array],
    real: jax.Array,
    fake: jax.Array,
    *,
    key: jax.Array,
    step: jax.Array,
) -> jax.Array:
    return discriminator(fake) ** 2


def critic(fake: jax.Array, real: jax.Array) -> jax.Array:
    return real - fake


ganjax.GAN(
    networks.mlp(2, [8], 2),
    networks.mlp(2, [8], 1),
    loss=ganjax.Loss(ganjax.discriminator_loss, critic),
    penalties=(small_logits,),
    augment=flipped,
)

# Data.
faces = assert_type(datasets.load_avatars(8, size=32), datasets.ImageSet)
assert_type(faces.size, int)
assert_type(datasets.load("faces/", 64), datasets.ImageSet)
mixture = assert_type(datasets.toy.MIXTURES["ring"], datasets.toy.Mixture)
assert_type(mixture(key, 10), jax.Array)

# Experiments and runs.
ring = experiments.Ring(seed=1, steps=10)
assert_type(ring.gan, ganjax.GAN)
folder = assert_type(training.RunFolder.create(Path("runs/ring-1")), training.RunFolder)
outcome = training.fit(ring, folder, quiet=True, checkpoint_policy=training.CheckpointPolicy(last=3))
assert_type(outcome.step, int)
assert_type(outcome.state, ganjax.GANState)
assert_type(folder.path, Path)

# Scores, sweeps, pictures.
scores = assert_type(metrics.mode_scores(samples, mixture.centers, mixture.sigma), metrics.ModeScores)
assert_type(scores.captured, jax.Array)
distance: float = metrics.frechet_distance(np.asarray(samples), np.asarray(real))


def family(rate: float) -> ganjax.GAN:
    return ganjax.GAN(*networks_of_mine, generator_optimizer=adam(rate), discriminator_optimizer=adam(rate))


def score(samples: jax.Array) -> Mapping[str, jax.Array]:
    return {"first": samples[0, 0]}


networks_of_mine = perceptron(2, 2), perceptron(2, 1)
rows = populations.sweep(
    family, {"rate": [1e-3, 1e-2]}, seeds=range(2), score=score, data=mixture, steps=10, batch=64
)
assert_type(rows, list[populations.Row])
viewing.save_sweep("rates.png", rows, "rate", ["first"])
viewing.save_grid("faces.png", faces.images)
