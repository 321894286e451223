"""A training step cut into pieces, by leaving out results: what only they need is then not computed.

Each program below is compiled by itself and gives a little more of `ganjax.train_step` than the one before;
the difference of two neighbours' times is what the piece between them adds to the step. So the pieces follow
the step as it is written, whatever it fuses, shares or draws, and add up to it exactly.
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
    "D pullback",
    "G's pullback through D(fake)",
    "G pullback",
    "Adam, both networks",
    "EMA, remaining metrics",
    "the call, noise",
)
WHOLE = "whole step"
NORMALIZATION = "normalisation (in the above)"


def programs(gan: GAN) -> dict[str, Program]:
    """`(state, real) -> (state, results)` for each cut; each hands a whole state on, so all calls cost alike.

    The cuts are "call" (noise is drawn, nothing else), "G" (G's samples), "G and back" (and a gradient
    through G), "D" (both losses), "D and back" (and D's gradient), "gradients" (and G's), "Adam" (and the new
    weights) and `WHOLE`.
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
    """Seconds of each of `PIECES`, of the whole, and of normalisation if timed, from those of the programs.

    `seconds` has an entry for each of `programs`; for `NORMALIZATION`, that of the step of a pair without it.
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
    """Floating-point operations of the pieces that do products, as throughput/flops.py counts them."""
    generator, discriminator = flops.network(gan.generator), flops.network(gan.discriminator)
    counts = (
        sum(layer.forward for layer in generator),
        sum(2 * layer.forward for layer in discriminator),
        sum(2 * layer.forward * (layer.learns + layer.follows) for layer in discriminator),
        sum(layer.forward for layer in discriminator),
        sum(layer.forward * (layer.learns + layer.follows) for layer in generator),
    )
    found = {piece: batch * count for piece, count in zip(PIECES, counts, strict=False)}
    return found | {WHOLE: sum(found.values())}


def without_normalization(model: keras.Model) -> keras.Model | None:
    """The same model built anew without its normalising layers, with other weights; None when it has none."""
    found = False

    def replaced(layer: keras.Layer) -> keras.Layer:
        nonlocal found
        if isinstance(layer, NORMALIZATIONS):
            found = True
            return _Nothing(name=layer.name)
        if isinstance(layer, layers.SpectralNormalization):
            found = True
            layer = layer.layer
        return type(layer).from_config(layer.get_config())

    rebuilt = keras.models.clone_model(model, clone_function=replaced)
    return rebuilt if found else None


class _Nothing(layers.Layer):
    """Called as a normalising layer is."""

    def call(self, x: Any, mask: Any = None, training: Any = None) -> Any:
        return x


def _next(state: GANState) -> GANState:
    return dataclasses.replace(state, step=state.step + jnp.int32(1))
