"""The generator and the discriminator of the cartoon experiment, which are fast on a CPU.

Most time of a DCGAN on a CPU goes into the layers with the largest pictures. Here the generator's features
grow from 4x4 to half the size of the picture only, by nearest-neighbour upsampling and 3x3 convolutions;
without strided transposed convolutions there is no checkerboard. The picture is summed up from coarse to fine
as in StyleGAN2's skip generator (Karras et al. 2020, section 4.1, https://arxiv.org/abs/1912.04958). The
discriminator halves its pictures by moving 2x2 pixels into channels, mixes these by a dense layer, and
convolves in residual blocks. It has no normalisation, as gradient penalties for single samples require
(Gulrajani et al. 2017, section 4, https://arxiv.org/abs/1704.00028).

All layers are stock Keras layers with names, so that a saved `.keras` file loads without ganjax.
"""

from __future__ import annotations

import keras
from keras import layers

SIZES = (32, 64, 128)
LEAKY_SLOPE = 0.2
LAYOUT = "channels_last"  # whatever the user's Keras settings say


def cartoon_generator(size: int = 64, width: int = 24, *, latent: int = 64, labels: int = 0) -> keras.Model:
    """Latents `(batch, latent)` to pictures `(batch, size, size, 3)` in [-1, 1].

    With `labels`, a second input `(batch, labels)`, one or several concatenated one-hot vectors, is embedded
    and concatenated to the latent.

    Args:
        size: 32, 64 or 128 pixels.
        width: channels at half the size; doubled at each halving, down to 4x4.
        latent: size of the latent vector.
        labels: size of the label vector; 0 for none.

    Raises:
        ValueError: another size, a width or latent below 1, or labels below 0.
    """
    _check(size, width=width, latent=latent)
    doublings = _halvings(size // 2)
    channels = width * 2**doublings
    inputs = x = layers.Input((latent,), name="latent")
    if labels:
        inputs = [x, label := _label_input(labels)]
        # The coordinates of an embedded label have variance 1, like those of a latent.
        embedding = layers.Dense(
            latent,
            use_bias=False,
            kernel_initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="embedding",
        )(label)
        x = layers.Concatenate(name="latent_and_label")([x, embedding])
    x = layers.Dense(256, kernel_initializer=_he(), name="mapping")(x)
    x = _normalized(x, "mapping")
    x = layers.Dense(16 * channels, kernel_initializer=_he(), name="base")(x)
    x = _normalized(layers.Reshape((4, 4, channels), name="base_picture")(x), "base")
    picture = None
    for i in range(doublings):
        side, channels = 8 * 2**i, channels // 2
        x = layers.UpSampling2D(2, data_format=LAYOUT, name=f"grow_{side}")(x)
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            data_format=LAYOUT,
            use_bias=False,
            kernel_initializer=_he(),
            name=f"convolution_{side}",
        )(x)
        x = _normalized(x, str(side))
        if side >= 16:
            kernel, name = _he(0.1), f"color_{side}"
            color = layers.Conv2D(3, 1, data_format=LAYOUT, kernel_initializer=kernel, name=name)(x)
            coarse = color if picture is None else layers.Add(name=f"picture_{side}")([picture, color])
            picture = _doubled(f"grow_picture_{side}")(coarse)
    x = _doubled(f"grow_{size}")(x)
    detail = _convolution(3, 0.05, f"color_{size}")(x)
    whole = layers.Add(name=f"picture_{size}")([picture, detail])
    return keras.Model(inputs, layers.Activation("tanh", name="pixels")(whole), name="cartoon_generator")


def cartoon_discriminator(
    size: int = 64, width: int = 16, *, labels: int = 0, spectral: bool = False, batch_norm: bool = False
) -> keras.Model:
    """Pictures `(batch, size, size, 3)` to one logit each, `(batch, 1)`.

    With `labels`, a second input `(batch, labels)` is projected onto the features: the logit is
    w . f(x) + b + (V y) . f(x) (Miyato and Koyama 2018, eq. 3, https://arxiv.org/abs/1802.05637).

    Args:
        size: 32, 64 or 128 pixels.
        width: channels at half the size; doubled at each halving, down to 4x4.
        labels: size of the label vector; 0 for none.
        spectral: divide every kernel by its largest singular value (Miyato et al. 2018).
        batch_norm: batch normalisation in all blocks except the first, as in DCGAN.

    Raises:
        ValueError: another size, or a width below 1.
    """
    _check(size, width=width)
    normalised = _spectral if spectral else _unchanged
    pictures = layers.Input((size, size, 3), name="picture")
    side, channels = size // 2, width
    x = _halved(pictures, side)
    x = _leaky(normalised(_convolution(channels, 1.0, f"convolution_{side}"))(x), f"activation_{side}")
    for _ in range(_halvings(side)):
        side, channels = side // 2, channels * 2
        x = _halved(x, side)
        x = normalised(layers.Dense(channels, kernel_initializer=_he(), name=f"mix_{side}"))(x)
        x = _leaky(x, f"mixed_{side}")
        h = normalised(_convolution(channels, 0.5, f"convolution_{side}"))(x)
        h = _normalized(h, str(side)) if batch_norm else _leaky(h, f"activation_{side}")
        x = layers.Add(name=f"residual_{side}")([x, h])
    x = layers.Flatten(data_format=LAYOUT, name="features")(x)
    logit = normalised(layers.Dense(1, kernel_initializer=_he(0.5), name="logit"))(x)
    if not labels:
        return keras.Model(pictures, logit, name="cartoon_discriminator")
    label = _label_input(labels)
    # As small as the weights of the logit, so that a label has little effect at first.
    embedding = layers.Dense(
        x.shape[-1],
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=x.shape[-1] ** -0.5),
        name="embedding",
    )
    projection = layers.Dot(axes=1, name="projection")([x, normalised(embedding)(label)])
    logit = layers.Add(name="logit_given_label")([logit, projection])
    return keras.Model([pictures, label], logit, name="cartoon_discriminator")


def _halvings(side: int) -> int:
    """How often `side` can be halved down to 4."""
    return (side // 4).bit_length() - 1


def _halved(x: keras.KerasTensor, side: int) -> keras.KerasTensor:
    """Space to depth: squares of 2x2 pixels become channels, `(2 side, 2 side, c)` to `(side, side, 4 c)`."""
    c = x.shape[-1]
    x = layers.Reshape((side, 2, side, 2 * c), name=f"split_{side}")(x)
    x = layers.Permute((1, 3, 2, 4), name=f"gather_{side}")(x)
    return layers.Reshape((side, side, 4 * c), name=f"halved_{side}")(x)


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"normalization_{name}")(x)
    return _leaky(x, f"activation_{name}")


def _leaky(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.LeakyReLU(LEAKY_SLOPE, name=name)(x)


def _convolution(channels: int, scale: float, name: str) -> layers.Layer:
    kernel = _he(scale)
    return layers.Conv2D(
        channels, 3, padding="same", data_format=LAYOUT, kernel_initializer=kernel, name=name
    )


def _doubled(name: str) -> layers.Layer:
    return layers.UpSampling2D(2, data_format=LAYOUT, interpolation="bilinear", name=name)


def _label_input(labels: int) -> keras.KerasTensor:
    return layers.Input((labels,), name="label")


def _spectral(layer: layers.Layer) -> layers.Layer:
    return layers.SpectralNormalization(layer, name=f"spectral_{layer.name}")


def _unchanged(layer: layers.Layer) -> layers.Layer:
    return layer


def _he(scale: float = 1.0) -> keras.initializers.Initializer:
    """The initializer of He et al. 2015, with its variance multiplied by `scale`."""
    return keras.initializers.VarianceScaling(2.0 * scale, "fan_in", "untruncated_normal")


def _check(size: int, **counts: int) -> None:
    if size not in SIZES:
        raise ValueError(f"the cartoon networks need a size of 32, 64 or 128 pixels, not {size}")
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")
