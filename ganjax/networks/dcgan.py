"""DCGANs: the networks of the original notebook, and the same architecture at other sizes and widths.

Radford, Metz and Chintala 2016, "Unsupervised representation learning with deep convolutional
generative adversarial networks": strided 4x4 convolutions in place of pooling, ReLU in the
generator and leaky ReLU in the discriminator, weights from N(0, 0.02). Images are channels-last
float32 in [-1, 1]; discriminators end in logits.
"""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

Normalization = Literal["spectral", "batch", "layer"]

LEAKY_SLOPE = 0.2
LAYOUT = "channels_last"  # whatever the user's Keras settings say
SIZES = (32, 64, 128)


def original_generator() -> keras.Model:
    """The original notebook's cartoon generator: latents (batch, 1, 1, 100) to images (batch, 64, 64, 3).

    Five transposed convolutions with 512, 256, 128, 64 and 3 channels, without biases, with batch
    normalisation and ReLU between them and tanh at the end: 3 578 624 parameters, including the
    moving statistics of batch normalisation.
    """
    x = inputs = layers.Input((1, 1, 100), name="latent")
    x = _transposed(512, "project", strides=4, padding="valid")(x)
    x = _batch_norm("norm_4")(x)
    x = layers.ReLU(name="relu_4")(x)
    for size, channels in ((8, 256), (16, 128), (32, 64)):
        x = _transposed(channels, f"upsample_{size}")(x)
        x = _batch_norm(f"norm_{size}")(x)
        x = layers.ReLU(name=f"relu_{size}")(x)
    x = _transposed(3, "upsample_64")(x)
    return keras.Model(inputs, layers.Activation("tanh", name="image")(x), name="original_generator")


def original_discriminator() -> keras.Model:
    """The original notebook's cartoon discriminator: images (batch, 64, 64, 3) to logits (batch, 2, 2, 1).

    Five strided convolutions with 64, 128, 256, 512 and 1 channels, without biases, with batch
    normalisation after the second to fourth and leaky ReLU of slope 0.2: 2 767 360 parameters,
    including the moving statistics. There is one logit for each quarter of the image. The
    notebook's sigmoid at the end is left out, since the loss takes logits.
    """
    x = inputs = layers.Input((64, 64, 3), name="image")
    for size, channels in ((32, 64), (16, 128), (8, 256), (4, 512)):
        x = _strided(channels, f"downsample_{size}", use_bias=False)(x)
        if size < 32:
            x = _batch_norm(f"norm_{size}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"leaky_relu_{size}")(x)
    logits = _strided(1, "logits", use_bias=False)(x)
    return keras.Model(inputs, logits, name="original_discriminator")


def dcgan_generator(
    size: int = 64,
    width: int = 64,
    *,
    latent: int = 128,
    channels: int = 3,
    name: str = "dcgan_generator",
) -> keras.Model:
    """A DCGAN generator, (batch, latent) to (batch, size, size, channels) in [-1, 1].

    A dense layer makes a 4x4 image. Each transposed convolution doubles its side and halves its
    channels, down to ``width`` at half the full size. Batch normalisation and ReLU follow every
    layer except the last one, which is followed by tanh.

    Args:
        size: height and width of the image in pixels: 32, 64 or 128.
        width: channels at half the full size; there are ``width * size / 8`` at 4x4.
        latent: size of the latent vector.
        channels: channels of the image.
        name: the model's name.

    Raises:
        ValueError: for another size, or a width, latent or channel count below one.
    """
    _check(size, width=width, latent=latent, channels=channels)
    stages = _stages(size, width)[::-1]
    x = inputs = layers.Input((latent,), name="latent")
    x = layers.Dense(4 * 4 * stages[0][1], use_bias=False, kernel_initializer=_kernel(), name="project")(x)
    x = layers.Reshape((4, 4, stages[0][1]), name="reshape")(x)
    for side, stage_channels in stages:
        if side > 4:
            x = _transposed(stage_channels, f"upsample_{side}")(x)
        x = _batch_norm(f"norm_{side}")(x)
        x = layers.ReLU(name=f"relu_{side}")(x)
    x = _transposed(channels, f"upsample_{size}", use_bias=True)(x)
    return keras.Model(inputs, layers.Activation("tanh", name="image")(x), name=name)


def dcgan_discriminator(
    size: int = 64,
    width: int = 64,
    normalization: Normalization | None = "spectral",
    *,
    channels: int = 3,
    name: str = "dcgan_discriminator",
) -> keras.Model:
    """A DCGAN discriminator, (batch, size, size, channels) to one logit an image, (batch, 1).

    Each strided convolution halves the side, from ``width`` channels at half the full size to
    ``width * size / 8`` at 4x4; a dense layer computes the logit from these.

    Args:
        size: height and width of the image in pixels: 32, 64 or 128.
        width: channels after the first convolution.
        normalization: ``"spectral"`` divides every kernel by its largest singular value
            (Miyato et al. 2018, "Spectral normalization for generative adversarial networks");
            ``"batch"`` is batch normalisation after all convolutions except the first;
            ``"layer"`` normalises each image separately, as the WGAN-GP penalty requires
            (Gulrajani et al. 2017, "Improved training of Wasserstein GANs", section 4); None
            does not normalise.
        channels: channels of the image.
        name: the model's name.

    Raises:
        ValueError: for another size or normalisation, or a width or channel count below one.
    """
    _check(size, width=width, channels=channels)
    if normalization not in ("spectral", "batch", "layer", None):
        raise ValueError(f"normalization must be 'spectral', 'batch', 'layer' or None, not {normalization!r}")
    spectral = normalization == "spectral"
    x = inputs = layers.Input((size, size, channels), name="image")
    for side, stage_channels in _stages(size, width):
        normed = side < size // 2 and normalization in ("batch", "layer")
        convolution = _strided(stage_channels, f"downsample_{side}", use_bias=not normed)
        x = (_spectral(convolution) if spectral else convolution)(x)
        if normed and normalization == "batch":
            x = _batch_norm(f"norm_{side}")(x)
        elif normed:
            x = layers.GroupNormalization(groups=1, name=f"norm_{side}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"leaky_relu_{side}")(x)
    x = layers.Flatten(data_format=LAYOUT, name="flatten")(x)
    logit = layers.Dense(1, kernel_initializer=_kernel(), name="logit")
    return keras.Model(inputs, (_spectral(logit) if spectral else logit)(x), name=name)


def _stages(size: int, width: int) -> list[tuple[int, int]]:
    """(side, channels) from half the full size down to 4x4, channels doubling."""
    stages = [(size // 2, width)]
    while stages[-1][0] > 4:
        side, channels = stages[-1]
        stages.append((side // 2, 2 * channels))
    return stages


def _check(size: int, **counts: int) -> None:
    if size not in SIZES:
        raise ValueError(f"the DCGANs need a size of 32, 64 or 128 pixels, not {size}")
    for what, count in counts.items():
        if count < 1:
            raise ValueError(f"{what} must be at least 1, not {count}")


def _kernel() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02)


def _transposed(
    channels: int,
    name: str,
    *,
    strides: int = 2,
    padding: Literal["same", "valid"] = "same",
    use_bias: bool = False,
) -> layers.Layer:
    return layers.Conv2DTranspose(
        channels,
        kernel_size=4,
        strides=strides,
        padding=padding,
        data_format=LAYOUT,
        use_bias=use_bias,
        kernel_initializer=_kernel(),
        name=name,
    )


def _strided(channels: int, name: str, *, use_bias: bool) -> layers.Layer:
    return layers.Conv2D(
        channels,
        kernel_size=4,
        strides=2,
        padding="same",
        data_format=LAYOUT,
        use_bias=use_bias,
        kernel_initializer=_kernel(),
        name=name,
    )


def _batch_norm(name: str) -> layers.Layer:
    # The paper's values. With the notebook's momentum of 0.1 the moving statistics would be almost
    # those of the last batch, and with its epsilon of 0.8 the layer would hardly normalise.
    return layers.BatchNormalization(
        momentum=0.9,
        epsilon=1e-5,
        gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02),
        name=name,
    )


def _spectral(layer: layers.Layer) -> layers.Layer:
    return layers.SpectralNormalization(layer, name=f"spectral_{layer.name}")
