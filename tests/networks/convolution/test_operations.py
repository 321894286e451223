"""The three operations are one trilinear form, and both ways to compute a transposed convolution agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganjax.networks.convolution import operations
from ganjax.networks.convolution.operations import Geometry, convolve, convolve_transpose, kernel_gradient


@st.composite
def geometries(draw, *, divisible=False):
    rank = draw(st.integers(1, 2))
    strides = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    if divisible:
        kernel_size = tuple(stride * draw(st.integers(1, 2)) for stride in strides)
    else:
        kernel_size = tuple(draw(st.integers(1, 5)) for _ in range(rank))
    padding = tuple((draw(st.integers(-1, 3)), draw(st.integers(-1, 3))) for _ in range(rank))
    # At least one window fits, and the last one need not end at the border.
    image_size = tuple(
        max(1, window - low - high) + draw(st.integers(0, 5))
        for window, (low, high) in zip(kernel_size, padding, strict=True)
    )
    return Geometry(image_size, kernel_size, strides, padding)


def operands(geometry):
    """Drawn by NumPy: JAX would compile a program for each of the shapes."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    image, kernel = normal(2, *geometry.image_size, 3), normal(*geometry.kernel_size, 3, 2)
    return image, kernel, normal(*jax.eval_shape(lambda i, k: convolve(geometry, i, k), image, kernel).shape)


@settings(max_examples=10)
@given(geometries())
def test_the_operations_are_one_trilinear_form(geometry):
    @jax.jit
    def forms(image, kernel, features):
        return jnp.stack(
            [
                jnp.sum(features * convolve(geometry, image, kernel)),
                jnp.sum(image * convolve_transpose(geometry, features, kernel)),
                jnp.sum(kernel * kernel_gradient(geometry, image, features)),
            ]
        )

    values = forms(*operands(geometry))
    # A sum of at most a few thousand float32 products of order one.
    np.testing.assert_allclose(values, values[0], rtol=1e-5, atol=1e-3)


@settings(max_examples=10)
@given(geometries(divisible=True))
def test_the_blockwise_transposed_convolution_is_the_dilated_one(geometry):
    _, kernel, features = operands(geometry)
    native, blockwise = jax.jit(
        lambda *both: (
            operations._transpose_dilated(geometry, *both),
            operations._transpose_blockwise(geometry, *both),
        )
    )(features, kernel)
    assert blockwise.shape == native.shape == (2, *geometry.image_size, 3)
    np.testing.assert_allclose(blockwise, native, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("platform", "is_dilated"), [("cpu", False), ("cuda", True)])
def test_each_platform_has_its_own_transposed_convolution(platform, is_dilated):
    geometry = Geometry((8, 8), (4, 4), (2, 2), ((1, 1), (1, 1)))
    _, kernel, features = operands(geometry)
    lowered = jax.export.export(
        jax.jit(lambda f, k: convolve_transpose(geometry, f, k)), platforms=(platform,)
    )(features, kernel)
    text = lowered.mlir_module()
    assert text.count("stablehlo.convolution") == 1
    assert ("lhs_dilate = [2, 2]" in text) is is_dilated
