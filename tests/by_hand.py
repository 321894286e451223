"""Tiny Keras networks of every kind, and each written out in plain JAX.

A layer by hand is a few lines on the arrays of a state, in the order Keras lists its variables; neither Keras
nor ganjax computes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
from keras import layers

import ganjax

BATCH = 6

# Half the time to compile, which is nearly all the time these tests take.
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}

# For tests that compare the bits of two programs: XLA's default generator of CPU code (see conftest.py).
HAS_OLD_GENERATOR = jax.__version_info__ < (0, 11)
SAME_BITS = QUICK | ({"xla_cpu_use_fusion_emitters": True} if HAS_OLD_GENERATOR else {})


# Layers, as functions of their weights.


def convolution(x, kernel, bias):
    """4x4 kernel (height, width, in, out), stride 2, SAME."""
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=dimensions)
    return y + bias


def transposed_convolution(x, kernel, bias):
    """4x4 kernel (height, width, out, in), stride 2, SAME: the transpose of the convolution above."""
    n, rows, columns, _ = x.shape
    image = jnp.zeros((n, 2 * rows, 2 * columns, kernel.shape[2]))
    _, transpose = jax.vjp(lambda image: convolution(image, kernel, 0.0), image)
    return transpose(x)[0] + bias


def batch_normalization(x, gamma, beta, mean, variance):
    """Value, and the two moving averages after it (momentum 0.99)."""
    axes = tuple(range(x.ndim - 1))
    m = jnp.mean(x, axes)
    v = jnp.mean((x - m) ** 2, axes)
    y = gamma * (x - m) / jnp.sqrt(v + 1e-3) + beta
    return y, [0.99 * mean + 0.01 * m, 0.99 * variance + 0.01 * v]


def layer_normalization(x, gamma, beta):
    m = jnp.mean(x, -1, keepdims=True)
    v = jnp.mean((x - m) ** 2, -1, keepdims=True)
    return gamma * (x - m) / jnp.sqrt(v + 1e-3) + beta


def group_normalization(x, gamma, beta, groups):
    grouped = x.reshape(len(x), groups, -1)
    m = jnp.mean(grouped, -1, keepdims=True)
    v = jnp.mean((grouped - m) ** 2, -1, keepdims=True)
    return gamma * ((grouped - m) / jnp.sqrt(v + 1e-3)).reshape(x.shape) + beta


def spectral_normalization(kernel, u):
    """Kernel over its largest singular value, estimated by one power iteration from u; and the next u."""
    matrix = kernel.reshape(-1, kernel.shape[-1])
    v = u @ matrix.T
    v = v / jnp.linalg.norm(v)
    u = v @ matrix
    u = u / jnp.linalg.norm(u)
    u, v = jax.lax.stop_gradient((u, v))
    sigma = (v @ matrix @ u.T)[0, 0]
    return kernel / sigma, u


def dropout(x, rate, key, index=0):
    """By the seed of the network's `index`-th random layer in a pass with this key."""
    seed = jax.random.bits(jax.random.fold_in(key, index), (2,), "uint32")
    kept = jax.random.bernoulli(jax.random.wrap_key_data(seed), 1 - rate, x.shape)
    return jnp.where(kept, x / (1 - rate), 0.0)


def leaky_relu(x):
    return jnp.where(x > 0, x, 0.2 * x)


def relu(x):
    return jnp.maximum(x, 0.0)


# Kinds of networks: how Keras makes a pair, and the same pair by hand.


@keras.saving.register_keras_serializable("by_hand")
class Subclassed(keras.Model):
    """Dense, BatchNormalization, ReLU, Dense."""

    def __init__(self, units: int, outputs: int, **kwargs):
        super().__init__(**kwargs)
        self.units, self.outputs_ = units, outputs
        self.first = layers.Dense(units, use_bias=False)
        self.norm = layers.BatchNormalization()
        self.last = layers.Dense(outputs)

    def build(self, input_shape):
        self.first.build(input_shape)
        self.norm.build((None, self.units))
        self.last.build((None, self.units))
        super().build(input_shape)

    def call(self, x, training=False):
        return self.last(keras.ops.relu(self.norm(self.first(x), training=training)))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "outputs": self.outputs_}


class Kind(NamedTuple):
    """Keras models (made anew by each call) and their forward functions by hand.

    By hand: `(params, statistics, x, key) -> (y, statistics)`, in training; the key is of the pass.
    """

    generator: Callable[[], keras.Model]
    discriminator: Callable[[], keras.Model]
    G: Callable[..., Any]
    D: Callable[..., Any]


def chain(inputs, *parts):
    return lambda: keras.Sequential([keras.Input(inputs), *(part() for part in parts)])


def dense_stack(p, s, x, key):
    return relu(x @ p[0] + p[1]) @ p[2] + p[3], s


sequential = Kind(
    chain((3,), lambda: layers.Dense(4, "relu"), lambda: layers.Dense(2)),
    chain((2,), lambda: layers.Dense(5, "relu"), lambda: layers.Dense(1)),
    dense_stack,
    dense_stack,
)


def skipping(inputs, outputs):
    """A Functional model that uses one layer twice, and its input again at the end."""

    def make():
        x = keras.Input((inputs,))
        shared = layers.Dense(inputs, "tanh")
        return keras.Model(x, layers.Dense(outputs)(layers.Concatenate()([shared(shared(x)), x])))

    return make


def skipping_by_hand(p, s, x, key):
    h = jnp.tanh(jnp.tanh(x @ p[0] + p[1]) @ p[0] + p[1])
    return jnp.concatenate([h, x], 1) @ p[2] + p[3], s


functional = Kind(skipping(3, 2), skipping(2, 1), skipping_by_hand, skipping_by_hand)


def built(model, inputs):
    model.build((None, inputs))
    return model


def normalized_in_batch(p, s, x, key):
    y, s = batch_normalization(x @ p[0], p[1], p[2], *s)
    return relu(y) @ p[3] + p[4], s


subclassed = Kind(
    lambda: built(Subclassed(4, 2), 3),
    lambda: built(Subclassed(5, 1), 2),
    normalized_in_batch,
    normalized_in_batch,
)

batch_normalized = Kind(
    chain(
        (3,),
        lambda: layers.Dense(4, use_bias=False),
        layers.BatchNormalization,
        layers.ReLU,
        lambda: layers.Dense(2),
    ),
    chain(
        (2,),
        lambda: layers.Dense(5, use_bias=False),
        layers.BatchNormalization,
        layers.ReLU,
        lambda: layers.Dense(1),
    ),
    normalized_in_batch,
    normalized_in_batch,
)


def dropping(p, s, x, key):
    h = dropout(relu(x @ p[0] + p[1]), 0.3, key)
    return h @ p[2] + p[3], s


dropped_out = Kind(
    chain((3,), lambda: layers.Dense(4, "relu"), lambda: layers.Dropout(0.3), lambda: layers.Dense(2)),
    chain((2,), lambda: layers.Dense(5, "relu"), lambda: layers.Dropout(0.3), lambda: layers.Dense(1)),
    dropping,
    dropping,
)


def spectral_stack(p, s, x, key):
    first, u_first = spectral_normalization(p[0], s[0])
    last, u_last = spectral_normalization(p[2], s[1])
    return relu(x @ first + p[1]) @ last + p[3], [u_first, u_last]


def spectral(units, activation=None):
    return lambda: layers.SpectralNormalization(layers.Dense(units, activation))


spectrally_normalized = Kind(
    chain((3,), spectral(4, "relu"), spectral(2)),
    chain((2,), spectral(5, "relu"), spectral(1)),
    spectral_stack,
    spectral_stack,
)


def grouped_stack(p, s, x, key):
    return relu(group_normalization(x @ p[0] + p[1], p[2], p[3], 2)) @ p[4] + p[5], s


def grouping():
    return layers.GroupNormalization(2)


group_normalized = Kind(
    chain((3,), lambda: layers.Dense(8), grouping, layers.ReLU, lambda: layers.Dense(2)),
    chain((2,), lambda: layers.Dense(6), grouping, layers.ReLU, lambda: layers.Dense(1)),
    grouped_stack,
    grouped_stack,
)


def layered_stack(p, s, x, key):
    return relu(layer_normalization(x @ p[0] + p[1], p[2], p[3])) @ p[4] + p[5], s


layer_normalized = Kind(
    chain((3,), lambda: layers.Dense(4), layers.LayerNormalization, layers.ReLU, lambda: layers.Dense(2)),
    chain((2,), lambda: layers.Dense(5), layers.LayerNormalization, layers.ReLU, lambda: layers.Dense(1)),
    layered_stack,
    layered_stack,
)


def patch_generator(p, s, x, key):
    h, s = batch_normalization((x @ p[0]).reshape(-1, 2, 2, 2), p[1], p[2], *s)
    return jnp.tanh(transposed_convolution(relu(h), p[3], p[4])), s


def patch_discriminator(p, s, x, key):
    """Variables: spectral kernel, bias, last kernel, bias; singular vector, dropout's seed."""
    kernel, u = spectral_normalization(p[0], s[0])
    h = dropout(leaky_relu(convolution(x, kernel, p[1])), 0.25, key)
    return jnp.einsum("nijc,co->nijo", h, p[2][0, 0]) + p[3], [u, s[1]]


patch = Kind(
    chain(
        (3,),
        lambda: layers.Dense(8, use_bias=False),
        lambda: layers.Reshape((2, 2, 2)),
        layers.BatchNormalization,
        layers.ReLU,
        lambda: layers.Conv2DTranspose(1, 4, 2, "same", activation="tanh"),
    ),
    chain(
        (4, 4, 1),
        lambda: layers.SpectralNormalization(layers.Conv2D(3, 4, 2, "same")),
        lambda: layers.LeakyReLU(0.2),
        lambda: layers.Dropout(0.25),
        lambda: layers.Conv2D(1, 1),
    ),
    patch_generator,
    patch_discriminator,
)

KINDS = {
    "Sequential": sequential,
    "Functional": functional,
    "subclassed": subclassed,
    "BatchNormalization": batch_normalized,
    "Dropout": dropped_out,
    "SpectralNormalization": spectrally_normalized,
    "GroupNormalization": group_normalized,
    "LayerNormalization": layer_normalized,
    "patch of logits": patch,
}


def make_gan(kind: Kind, **options) -> ganjax.GAN:
    return ganjax.GAN(kind.generator(), kind.discriminator(), **options)
