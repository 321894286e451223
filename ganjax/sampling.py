"""What the networks of a state compute: latents, samples, logits."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import keras

from ganjax import stateless
from ganjax.checks import as_key
from ganjax.gan import GAN
from ganjax.labelled import check_labels, check_packs
from ganjax.state import GANState
from ganjax.stateless import After, Weights

Forward = Callable[..., tuple[jax.Array, After]]

_RANDOM_LAYERS = 2**32 - 1  # folded into a key for latents, a key for the layers


def sample_latent(gan: GAN, key: jax.Array, n: int) -> jax.Array:
    """`n` draws from the latent distribution: `(n, *gan.latent_shape)` float32."""
    return gan.latent(as_key(key), (n, *gan.latent_shape))


def generate(
    gan: GAN,
    state: GANState,
    key: jax.Array,
    n: int,
    labels: jax.Array | None = None,
    *,
    ema: bool = True,
) -> jax.Array:
    """`n` samples of the generator at inference (moving averages, no dropout).

    Args:
        gan, state: the GAN and one of its states.
        key: one PRNG key, for the latents and for layers that are random at inference; the same key gives the
            same latents at every step of training.
        n: how many, static.
        labels: `(n, *gan.label_shape)`, in a conditional GAN.
        ema: use the averaged weights rather than the latest.

    Returns:
        `(n, *gan.sample_shape)` float32.
    """
    latents = sample_latent(gan, key, n)
    layer_key = jax.random.fold_in(as_key(key), _RANDOM_LAYERS) if gan.is_random else None
    return decode(gan, state, latents, labels, key=layer_key, ema=ema)


def decode(
    gan: GAN,
    state: GANState,
    latents: jax.Array,
    labels: jax.Array | None = None,
    *,
    key: jax.Array | None = None,
    ema: bool = True,
) -> jax.Array:
    """Samples `(n, *gan.sample_shape)` float32 at inference.

    Args:
        gan, state: the GAN and one of its states.
        latents: `(n, *gan.latent_shape)`.
        labels: `(n, *gan.label_shape)` floating point, in a conditional GAN.
        key: for layers that are random at inference, such as `Dropout(...)(x, training=True)`. Without one
            they use the seeds in the state: the same at every call.
        ema: use the averaged weights rather than the latest.

    Raises:
        TypeError, ValueError: labels are missing, not wanted, or of the wrong shape or dtype.
    """
    check_labels(labels, gan.label_shape, latents)
    weights = state.ema if ema else state.generator
    G = forward(gan, gan.generator, training=False)
    return G(weights.params, weights.statistics, latents, labels, key)[0]


def discriminate(
    gan: GAN,
    state: GANState,
    x: jax.Array,
    labels: jax.Array | None = None,
    *,
    key: jax.Array | None = None,
) -> jax.Array:
    """D's float32 logits of `x` `(n, *gan.sample_shape)` at inference; labels and key as for `decode`.

    A GAN with packing m gives `n / m` logits, one for each m samples in a row.

    Raises:
        TypeError, ValueError: as `decode` does, or `x` cannot be put into whole packs.
    """
    check_labels(labels, gan.label_shape, x)
    check_packs(len(x), gan.packing)
    D = forward(gan, gan.discriminator, training=False)
    packs = pack(x, gan.packing)
    return D(state.discriminator.params, state.discriminator.statistics, packs, labels, key)[0]


def forward(gan: GAN, model: keras.Model, *, training: bool) -> Forward:
    """`(params, statistics, x, labels=None, key=None) -> (float32 y, After)` of one of the GAN's models,
    transformed.

    Raises:
        ValueError: the model was changed after the GAN was made.
    """
    gan.check_models()

    def function(
        params: Weights,
        statistics: Weights,
        x: jax.Array,
        labels: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> tuple[jax.Array, After]:
        y, after = stateless.call_with_losses(model, params, statistics, x, labels, key, training=training)
        return y.astype(jnp.float32), after

    return gan.transform(function) if gan.transform else function


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
