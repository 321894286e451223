"""What the networks of a state compute: latents, samples, logits."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras

from ganjax import stateless
from ganjax.checks import as_key, check_latents
from ganjax.gan import GAN
from ganjax.labelled import check_labels, check_packs, count
from ganjax.latents import draw_latents
from ganjax.state import GANState
from ganjax.stateless import After, Weights, call_without_state

Forward = Callable[..., tuple[Any, After]]

_RANDOM_LAYERS = 2**32 - 1  # folded into a key for latents, a key for the layers


def sample_latent(gan: GAN, key: jax.Array, n: int) -> Any:
    """`n` draws from the latent distribution: `(n, *gan.latent_shape)` float32.

    A structure of arrays, each drawn with a key of its own, where the generator takes one; None where it
    takes labels only.

    Raises:
        TypeError, ValueError: `gan.latent` gives something else than was asked for.
    """
    key = as_key(key)
    if gan.latent is None:
        return None
    wanted = stateless.filled(gan.latent_spec, n)
    drawn = call_without_state(draw_latents, gan.latent, key, wanted, name="latent")
    check_latents(drawn, wanted)
    return drawn


def generate(
    gan: GAN,
    state: GANState,
    key: jax.Array,
    n: int,
    labels: Any = None,
    *,
    ema: bool = True,
) -> jax.Array:
    """`n` samples of the generator at inference (moving averages, no dropout).

    Args:
        gan, state: the GAN and one of its states.
        key: one PRNG key, for the latents and for layers that are random at inference; the same key gives the
            same latents at every step of training.
        n: how many, static.
        labels: `(n, *gan.label_shape)`, if the generator takes labels.
        ema: use the averaged weights rather than the latest.

    Returns:
        `(n, *gan.sample_shape)` float32; a structure of such arrays where samples are one.
    """
    latents = sample_latent(gan, key, n)
    if latents is None:  # then `decode` makes a sample for each label
        labels = jax.tree.map(jnp.asarray, labels)
        check_labels(labels, gan.generator_labels, n)
    layer_key = jax.random.fold_in(as_key(key), _RANDOM_LAYERS) if gan.is_random else None
    return decode(gan, state, latents, labels, key=layer_key, ema=ema)


def decode(
    gan: GAN,
    state: GANState,
    latents: Any,
    labels: Any = None,
    *,
    key: jax.Array | None = None,
    ema: bool = True,
) -> jax.Array:
    """Samples `(n, *gan.sample_shape)` float32 at inference.

    Args:
        gan, state: the GAN and one of its states.
        latents: `(n, *gan.latent_shape)`; None for a generator that takes labels only.
        labels: `(n, *gan.label_shape)`, if the generator takes labels; floating point or integers, as its
            input is.
        key: for layers that are random at inference, such as `Dropout(...)(x, training=True)`. Without one
            they use the seeds in the state: the same at every call.
        ema: use the averaged weights rather than the latest.

    Raises:
        TypeError, ValueError: labels are missing, not wanted, or of the wrong shape or dtype.
    """
    latents, labels = jax.tree.map(jnp.asarray, (latents, labels))
    if latents is None and gan.latent is not None:
        raise TypeError("this generator takes latents: give them, as from sample_latent(gan, key, n)")
    given = labels if latents is None else latents
    check_labels(labels, gan.generator_labels, 0 if given is None else count(given))
    weights = state.ema if ema else state.generator
    G = forward(gan, gan.generator, training=False)
    return G(weights.params, weights.statistics, latents, labels, key)[0]


def discriminate(
    gan: GAN,
    state: GANState,
    x: Any,
    labels: Any = None,
    *,
    key: jax.Array | None = None,
) -> jax.Array:
    """D's float32 logits of `x` `(n, *gan.sample_shape)` at inference; labels and key as for `decode`.

    A GAN with packing m gives `n / m` logits, one for each m samples in a row.

    Raises:
        TypeError, ValueError: as `decode` does, or `x` cannot be put into whole packs.
    """
    x, labels = jax.tree.map(jnp.asarray, (x, labels))
    check_labels(labels, gan.discriminator_labels, count(x))
    check_packs(count(x), gan.packing)
    D = forward(gan, gan.discriminator, training=False)
    packs = pack(x, gan.packing)
    return D(state.discriminator.params, state.discriminator.statistics, packs, labels, key)[0]


def forward(gan: GAN, model: keras.Model, *, training: bool) -> Forward:
    """`(params, statistics, x, labels=None, key=None) -> (y, After)` of one of the GAN's models, transformed.

    `x` is the main input; of the labels the model gets those that it takes. `y` is its main output, samples
    or logits, and whatever else it returns is in `After.outputs`. All floating-point results are float32.

    Raises:
        ValueError: the model was changed after the GAN was made.
    """
    gan.check_models()
    is_generator = model is gan.generator
    spec = gan.generator_labels if is_generator else gan.discriminator_labels
    divide = gan.divide_generated if is_generator else gan.divide_scored

    def function(
        params: Weights, statistics: Weights, x: Any, labels: Any = None, key: jax.Array | None = None
    ) -> tuple[Any, After]:
        labels = None if spec is None else {k: labels[k] for k in spec} if isinstance(spec, dict) else labels
        y, after = stateless.call_with_losses(model, params, statistics, x, labels, key, training=training)
        main, others = jax.tree.map(_as_float32, divide(y))
        return main, after._replace(outputs=others)

    return gan.transform(function) if gan.transform else function


def with_weights(gan: GAN, model: keras.Model, statistics: Weights, labels: Any, key: Any) -> Any:
    """params -> the network in training, a function of its main input; each call draws masks of its own"""
    network = forward(gan, model, training=True)

    def at(params: Weights) -> Callable[[Any], Any]:
        calls = itertools.count()

        def function(x: Any) -> Any:
            call_key = None if key is None else jax.random.fold_in(key, next(calls))
            return network(params, statistics, x, labels, call_key)[0]

        return function

    return at


def _as_float32(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) else x


def pack(x: jax.Array, size: int) -> jax.Array:
    """Each `size` samples in a row as one, side by side on the last axis (the paper's section 2.2).

    Args:
        x: `(n, ..., c)`, n a multiple of `size`.
        size: samples in a pack, at least 1.

    Returns:
        `(n / size, ..., size * c)`; `x` itself where size is 1.
    """
    if size == 1:
        return x
    n, *axes, channels = x.shape
    apart = x.reshape(n // size, size, *axes, channels)
    return jnp.moveaxis(apart, 1, -2).reshape(n // size, *axes, size * channels)
