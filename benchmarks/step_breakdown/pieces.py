"""The parts of a training step, from programs that leave out some of its results.

XLA does not compute what no result needs. Each program below is compiled separately and returns a little more
of `ganjax.train_step` than the one before; the difference of their times is what one part adds to the step.
So the parts follow the step as it is written, with everything it fuses and shares, and add up to it exactly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
from keras import layers

import ganjax
from benchmarks.throughput import flops
from ganjax.gan import GAN
from ganjax.sampling import forward, sample_latent
from ganjax.state import GANState

Program = Callable[[GANState, jax.Array], tuple[GANState, Any]]

NORMALIZATIONS = (layers.BatchNormalization, layers.GroupNormalization, layers.LayerNormalization)

PIECES = (
    "G forward",
    "D forward, real and fake",
    "D backward",
    "G's gradient through D(fake)",
    "G backward",
    "Adam, both networks",
    "EMA, other metrics",
    "call, latents",
)
WHOLE = "whole step"
NORMALIZATION = "normalisation (included above)"


def programs(gan: GAN) -> dict[str, Program]:
    """Programs `(state, real) -> (state, results)`, each of which computes more of the step.

    "call" only draws latents, "G" computes G's samples, "G and back" also a gradient through G, "D" both
    losses, "D and back" also D's gradient, "gradients" also G's, "Adam" also the new weights, and `WHOLE` the
    whole step. All return a whole state, so that calls have the same overhead.
    """

    def latents(state: GANState, real: jax.Array) -> jax.Array:
        return sample_latent(gan, jax.random.fold_in(state.key, state.step), len(real))

    def call(state: GANState, real: jax.Array) -> tuple[GANState, Any]:
        return _next(state), latents(state, real)

    def generate(state: GANState, real: jax.Array) -> tuple[GANState, Any]:
        G = forward(gan, gan.generator, training=True)
        return _next(state), G(state.generator.params, state.generator.statistics, latents(state, real))

    def generate_and_pull(state: GANState, real: jax.Array) -> tuple[GANState, Any]:
        G, z = forward(gan, gan.generator, training=True), latents(state, real)
        make = lambda params: G(params, state.generator.statistics, z)  # noqa: E731
        fake, pull, statistics = jax.vjp(make, state.generator.params, has_aux=True)
        return _next(state), (statistics, pull(fake))

    def stepped(*names: str) -> Program:
        def program(state: GANState, real: jax.Array) -> tuple[GANState, Any]:
            new, metrics = ganjax.train_step(gan, state, real)
            statistics = (new.generator.statistics, new.discriminator.statistics)
            return _next(state), (statistics, [metrics[name] for name in names])

        return program

    def updated(state: GANState, real: jax.Array) -> tuple[GANState, Any]:
        new, metrics = ganjax.train_step(gan, state, real)
        return dataclasses.replace(new, ema=state.ema), [metrics[name] for name in (*losses, *norms)]

    losses = ("generator_loss", "discriminator_loss")
    norms = ("discriminator_gradient_norm", "generator_gradient_norm")
    return {
        "call": call,
        "G": generate,
        "G and back": generate_and_pull,
        "D": stepped(*losses),
        "D and back": stepped(*losses, norms[0]),
        "gradients": stepped(*losses, *norms),
        "Adam": updated,
        WHOLE: lambda state, real: ganjax.train_step(gan, state, real),
    }


def split(seconds: dict[str, float]) -> dict[str, float]:
    """Seconds of each of `PIECES`, of the whole step, and of normalisation if it was timed.

    Args:
        seconds: those of each of `programs`; under `NORMALIZATION`, those of a step of networks without it.
    """
    back = seconds["G and back"] - seconds["G"]
    times = (
        seconds["G"] - seconds["call"],
        seconds["D"] - seconds["G"],
        seconds["D and back"] - seconds["D"],
        seconds["gradients"] - seconds["D and back"] - back,
        back,
        seconds["Adam"] - seconds["gradients"],
        seconds[WHOLE] - seconds["Adam"],
        seconds["call"],
    )
    found = dict(zip(PIECES, times, strict=True)) | {WHOLE: seconds[WHOLE]}
    if NORMALIZATION in seconds:
        found[NORMALIZATION] = seconds[WHOLE] - seconds[NORMALIZATION]
    return found


def operations(gan: GAN, batch: int) -> dict[str, int]:
    """Floating-point operations of the parts with products, as throughput/flops.py counts them."""
    generator, discriminator = flops.network(gan.generator), flops.network(gan.discriminator)
    counts = (
        sum(layer.forward for layer in generator),
        sum(2 * layer.forward for layer in discriminator),
        sum(2 * layer.forward * layer.gradients for layer in discriminator),
        sum(layer.forward for layer in discriminator),
        sum(layer.forward * layer.gradients for layer in generator),
    )
    found = {piece: batch * count for piece, count in zip(PIECES, counts, strict=False)}
    return found | {WHOLE: sum(found.values())}


def without_normalization(model: keras.Model) -> keras.Model | None:
    """The model rebuilt without its normalising layers, with other weights; None if it has no such layers."""
    found = False

    def replaced(layer: keras.Layer) -> keras.Layer:
        nonlocal found
        if isinstance(layer, NORMALIZATIONS):
            found = True
            return _Identity(name=layer.name)
        if isinstance(layer, layers.SpectralNormalization):
            found = True
            layer = layer.layer
        return type(layer).from_config(layer.get_config())

    rebuilt = keras.models.clone_model(model, clone_function=replaced)
    return rebuilt if found else None


class _Identity(layers.Layer):
    """Has the call signature of a normalising layer."""

    def call(self, x: Any, mask: Any = None, training: Any = None) -> Any:
        return x


def _next(state: GANState) -> GANState:
    return dataclasses.replace(state, step=state.step + jnp.int32(1))
