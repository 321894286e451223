"""The networks of published experiments on points, with their initializers.

Gulrajani et al. 2017 and others use multilayer perceptrons, see `dense.mlp`.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from ganjax.networks.maxout import Maxout


def pacgan_generator(dim: int, width: int = 400) -> keras.Model:
    """`(batch, 2)` to `(batch, dim)`: four layers of `width`, each with BatchNormalization and ReLU.

    Lin et al. 2018, section 4.1 and the authors' code: biases in the last layer only, kernels from
    N(0, 0.02^2), and moving averages with a momentum of 0.95.
    """
    x = inputs = layers.Input((2,), name="latent")
    for i in range(1, 5):
        x = layers.Dense(width, use_bias=False, kernel_initializer=_normal(), name=f"hidden_{i}")(x)
        x = layers.BatchNormalization(momentum=0.95, epsilon=1e-4, name=f"normalization_{i}")(x)
        x = layers.ReLU(name=f"relu_{i}")(x)
    return keras.Model(
        inputs, layers.Dense(dim, kernel_initializer=_normal(), name="point")(x), name="generator"
    )


def pacgan_discriminator(dim: int, width: int = 200, *, pieces: int = 5) -> keras.Model:
    """`(batch, dim)` to a logit `(batch, 1)`: three `Maxout` layers of `width`, and a linear one.

    Lin et al. 2018, section 4.1 and the authors' code; kernels from N(0, 0.02^2). `dim` is that of a whole
    pack of samples.
    """
    x = inputs = layers.Input((dim,), name="pack")
    for i in range(1, 4):
        x = Maxout(width, pieces, kernel_initializer=_normal(), name=f"hidden_{i}")(x)
    return keras.Model(
        inputs, layers.Dense(1, kernel_initializer=_normal(), name="logit")(x), name="discriminator"
    )


def spectral_discriminator(dim: int, widths: Sequence[int]) -> keras.Model:
    """`(batch, dim)` to a logit `(batch, 1)`: leaky ReLU of slope 0.1, every kernel spectrally normalised.

    Miyato et al. 2018, section 2.1 and appendix B.4.
    """
    x = inputs = layers.Input((dim,), name="point")
    for i, width in enumerate(widths, start=1):
        x = layers.SpectralNormalization(layers.Dense(width), name=f"hidden_{i}")(x)
        x = layers.LeakyReLU(0.1, name=f"leaky_relu_{i}")(x)
    logit = layers.SpectralNormalization(layers.Dense(1), name="logit")(x)
    return keras.Model(inputs, logit, name="discriminator")


def unrolled_generator(dim: int, width: int = 128) -> keras.Model:
    """`(batch, 256)` to `(batch, dim)`: two ReLU layers of `width`, and a linear one.

    Metz et al. 2017, appendix A: orthogonal kernels with a gain of 0.8.
    """
    x = inputs = layers.Input((256,), name="latent")
    for i in (1, 2):
        x = layers.Dense(width, "relu", kernel_initializer=_orthogonal(), name=f"hidden_{i}")(x)
    point = layers.Dense(dim, kernel_initializer=_orthogonal(), name="point")(x)
    return keras.Model(inputs, point, name="generator")


def unrolled_discriminator(dim: int, width: int = 128) -> keras.Model:
    """`(batch, dim)` to a logit `(batch, 1)`: the input divided by 4, one ReLU layer of `width`, a linear
    one.

    Metz et al. 2017, appendix A: orthogonal kernels with a gain of 0.8.
    """
    inputs = layers.Input((dim,), name="point")
    x = keras.ops.multiply(inputs, 0.25)  # `Rescaling` needs TensorFlow
    x = layers.Dense(width, "relu", kernel_initializer=_orthogonal(), name="hidden")(x)
    logit = layers.Dense(1, kernel_initializer=_orthogonal(), name="logit")(x)
    return keras.Model(inputs, logit, name="discriminator")


def _normal() -> keras.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _orthogonal() -> keras.Initializer:
    return keras.initializers.Orthogonal(gain=0.8)
