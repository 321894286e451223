"""A training step is lowered to each platform's own convolutions, whichever machine traces it."""

import re

import jax
import jax.numpy as jnp
import pytest
from jax import export
from keras import Input, Model, layers

import ganjax

pytestmark = pytest.mark.usefixtures("keras_promotion")

BATCH = 4


def small_dcgan():
    """Networks with two strided convolutions each, for 8 x 8 pixels."""
    z = Input((5,))
    x = layers.Reshape((2, 2, 4))(layers.Dense(16)(z))
    x = layers.Conv2DTranspose(4, 4, strides=2, padding="same")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    generator = Model(z, layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")(x))
    x = image = Input((8, 8, 3))
    for channels in (4, 5):
        x = layers.LeakyReLU(0.2)(layers.Conv2D(channels, 4, strides=2, padding="same")(x))
    return generator, Model(image, layers.Dense(1)(layers.Flatten()(x)))


@pytest.fixture(scope="module")
def exported():
    """A step with a gradient penalty, and so with second derivatives, exported for each platform."""
    gan = ganjax.GAN(*small_dcgan(), penalties=(ganjax.R1(1.0),))
    state = jax.eval_shape(lambda key: ganjax.init_state(gan, key), jax.random.key(0))
    real = jax.ShapeDtypeStruct((BATCH, *gan.sample_shape), jnp.float32)
    step = jax.jit(lambda state, real: ganjax.train_step(gan, state, real))
    texts = {}

    def of(*platforms):
        if platforms not in texts:
            texts[platforms] = export.export(step, platforms=platforms)(state, real).mlir_module()
        return texts[platforms]

    return of


def convolutions(text):
    """For each convolution: the first letter of its input's layout (f for features), and its window."""
    pattern = r"stablehlo\.convolution.*?dim_numbers = \[(\w).*?window = \{(.*?)\}"
    found = re.findall(pattern, text)
    assert len(found) == text.count("stablehlo.convolution(")
    return found


def batched_products(text):
    """Those of Winograd convolutions: matrix products with a batch of points. Dense layers have none."""
    return len(re.findall(r"stablehlo\.dot_general.*batching_dims", text))


def test_control_jax_alone_gives_convolutions_that_no_platform_has():
    gan = ganjax.GAN(*small_dcgan(), penalties=(ganjax.R1(1.0),), transform=None)
    state = jax.eval_shape(lambda key: ganjax.init_state(gan, key), jax.random.key(0))
    real = jax.ShapeDtypeStruct((BATCH, *gan.sample_shape), jnp.float32)
    step = jax.jit(lambda state, real: ganjax.train_step(gan, state, real))
    found = convolutions(export.export(step, platforms=("cuda",))(state, real).mlir_module())
    assert any("lhs_dilate" in window for layout, window in found if layout == "f")


@pytest.mark.parametrize("platform", ["cuda", "rocm", "tpu"])
def test_accelerators_get_native_convolutions(exported, platform):
    text = exported(platform)
    found = convolutions(text)
    assert batched_products(text) == 0
    # Both kinds of layers, and kernel gradients, whose feature axis is the batch.
    assert any("lhs_dilate" in window for _, window in found)
    assert any("stride" in window for _, window in found)
    assert any(layout == "f" for layout, _ in found)
    for layout, window in found:
        assert not ("lhs_dilate" in window and "rhs_dilate" in window)
        # The window of a kernel gradient is as large as an image; no platform has a kernel for it with a
        # dilated input.
        assert not (layout == "f" and "lhs_dilate" in window)


def test_cpus_get_winograd_products_and_no_convolution(exported):
    text = exported("cpu")
    assert batched_products(text) > 0
    assert convolutions(text) == []


def test_one_export_serves_both(exported):
    """The module has the code of both platforms, and chooses when it runs."""
    text = exported("cpu", "cuda")
    assert batched_products(text) >= batched_products(exported("cpu")) > 0
    alone = set(convolutions(exported("cuda")))
    assert alone <= set(convolutions(text))
    assert "_platform_index" in text
