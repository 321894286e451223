"""Winograd convolutions equal native ones, with derivatives of any order and under vmap."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from geometries import CHANNELS, tiled
from hypothesis import given, settings

from ganjax.networks.convolution import operations, winograd
from ganjax.networks.convolution.operations import Geometry
from ganjax.networks.convolution.plans import plan_for

BATCH = 3

DCGAN = Geometry((8, 8), (4, 4), (2, 2), ((1, 1), (1, 1)))
UNEQUAL = Geometry((13, 6), (4, 3), (2, 1), ((-1, -1), (3, 1)))

OPERATIONS = ["convolve", "convolve_transpose"]


def assert_close(actual, expected, tolerance):
    """Every leaf within `tolerance` of its own largest value.

    The float32 sums of a few hundred terms are taken in another order (1e-6), and after transforms of which
    F(4, 3)'s, the largest here, multiply what is rounded by up to some tens.
    """
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.shape == e.shape
        assert a.dtype == e.dtype == np.float32
        np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * float(np.abs(e).max()))


def batch_last(operation, geometry):
    """The Winograd version of an operation, for images and features with the channels last."""
    plan = plan_for(geometry, CHANNELS, BATCH)
    assert plan is not None
    form = functools.partial(getattr(winograd, operation), plan)
    return lambda left, kernel: form(left.transpose(3, 1, 2, 0), kernel).transpose(3, 1, 2, 0)


def native(operation, geometry):
    return functools.partial(getattr(operations, operation), geometry)


def operands(operation, geometry, *leading):
    """Operands of the operation, with additional leading axes."""
    size, channels = {
        "convolve": (geometry.image_size, CHANNELS[0]),
        "convolve_transpose": (geometry.feature_size, CHANNELS[1]),
    }[operation]
    shapes = (*leading, BATCH, *size, channels), (*leading, *geometry.kernel_size, *CHANNELS)
    rng = np.random.default_rng(0)  # JAX would compile a program for each of the shapes
    return tuple(jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes)


def loss(function):
    return lambda *arguments: jnp.sum(jnp.sin(function(*arguments)))


def penalty(function):
    """The squared gradients, as in R1, so that its gradients are second derivatives."""

    def of(*arguments):
        return sum(jnp.sum(g**2) for g in jax.grad(loss(function), (0, 1))(*arguments))

    return of


@pytest.mark.parametrize("operation", OPERATIONS)
@settings(max_examples=4)
@given(geometry=tiled())
def test_value_and_both_gradients(operation, geometry):
    def everything(function):
        return jax.jit(lambda *o: (function(*o), jax.grad(loss(function), (0, 1))(*o)))

    both = operands(operation, geometry)
    actual, expected = (everything(make(operation, geometry))(*both) for make in (batch_last, native))
    assert_close(actual, expected, 3e-5)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("geometry", [DCGAN, UNEQUAL], ids=["dcgan", "unequal"])
def test_second_derivatives(operation, geometry):
    both = operands(operation, geometry)
    actual, expected = (
        jax.jit(jax.grad(penalty(make(operation, geometry)), (0, 1)))(*both) for make in (batch_last, native)
    )
    # Two more convolutions, each with its rounding.
    assert_close(actual, expected, 1e-4)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_vmap_over_kernels(operation):
    many = operands(operation, DCGAN, 2)
    member = batch_last(operation, DCGAN)
    gradient = jax.grad(loss(member), (0, 1))
    mapped = jax.jit(jax.vmap(lambda *o: (member(*o), gradient(*o))))(*many)
    single = jax.jit(lambda *o: (member(*o), gradient(*o)))
    one_by_one = [single(*o) for o in zip(*many, strict=True)]
    assert_close(mapped, jax.tree.map(lambda *leaves: jnp.stack(leaves), *one_by_one), 1e-5)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_vmap_over_batches_with_a_common_kernel(operation):
    batches, kernels = operands(operation, DCGAN, 2)
    kernel = kernels[0]
    form, reference = batch_last(operation, DCGAN), native(operation, DCGAN)

    def total(function):
        return lambda kernel: jnp.sum(jnp.sin(jax.vmap(function, (0, None))(batches, kernel)))

    @jax.jit
    def actual(kernel):
        return jax.vmap(form, (0, None))(batches, kernel), jax.grad(total(form))(kernel)

    @jax.jit
    def expected(kernel):
        return jnp.stack([reference(b, kernel) for b in batches]), jax.grad(total(reference))(kernel)

    assert_close(actual(kernel), expected(kernel), 1e-5)


def test_all_products_are_batches_of_matrix_products():
    """Value, gradients and second derivatives contain no convolution, which XLA would run as a naive loop."""
    both = operands("convolve_transpose", DCGAN)
    text = jax.jit(jax.grad(penalty(batch_last("convolve_transpose", DCGAN)), (0, 1))).lower(*both).as_text()
    assert "dot_general" in text
    assert "stablehlo.convolution" not in text
