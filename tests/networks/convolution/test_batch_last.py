"""Images stay batch-last from one convolution to the next, and no result changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend import core

from ganjax.networks.convolution.batch_last import (
    RULES,
    Image,
    batch_last_rule,
    has_plan,
)
from ganjax.networks.convolution.strided import is_strided, is_supported
from ganjax.networks.fast import fast_convolutions
from ganjax.networks.interpreter import contains, evaluate, unwrap

pytestmark = pytest.mark.usefixtures("keras_promotion")

NHWC = ("NHWC", "HWIO", "NHWC")
NCHW = ("NCHW", "OIHW", "NCHW")
SHAPE = (2, 4, 4, 5)
"""Shape of the images from `downsample`: only height and width are equal."""


def normal(seed, shape):
    return jax.random.normal(jax.random.key(seed), shape)


PIXELS, KERNEL = normal(0, (2, 8, 8, 3)), normal(1, (4, 4, 3, 5)) / 7
OTHER = normal(2, SHAPE)


def downsample(x, kernel):
    return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=NHWC)


def upsample(x, kernel):
    return lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=NHWC, transpose_kernel=True)


def on_images(after):
    """The function that applies `after` to the result of a convolution."""
    return lambda x, kernel: after(downsample(x, kernel))


def wrapped_results(function, *operands):
    """The results of evaluation with batch-last images, still wrapped."""
    closed = jax.make_jaxpr(function)(*operands)
    return evaluate(closed, operands, is_supported, batch_last_rule)


def assert_close(actual, expected, tolerance=2e-5):
    """Every leaf within `tolerance` of its own largest value: float32 sums in another order."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.dtype == e.dtype
        scale = float(np.abs(np.asarray(e, np.float32)).max(initial=0))
        np.testing.assert_allclose(
            np.asarray(a, np.float32), np.asarray(e, np.float32), rtol=0, atol=tolerance * max(1.0, scale)
        )


def assert_same_function(function, *operands, tolerance=2e-5):
    """Values, and gradients of floating-point values, are those of the plain function."""

    def everything(function):
        value = function(*operands)
        if not jnp.issubdtype(value.dtype, jnp.floating):
            return value, None

        def loss(*operands):
            return jnp.sum(jnp.sin(function(*operands).astype(jnp.float32)))

        return value, jax.grad(loss, (0, 1))(*operands)

    assert_close(
        jax.jit(everything, static_argnums=0)(fast_convolutions(function)),
        jax.jit(everything, static_argnums=0)(function),
        tolerance,
    )


UNARY = {
    "abs": lax.abs, "cbrt": lax.cbrt, "ceil": lax.ceil, "copy": lambda y: lax.copy_p.bind(y), "cos": lax.cos,
    "erf": lax.erf, "erf_inv": lambda y: lax.erf_inv(y / 9), "erfc": lax.erfc, "exp": lax.exp,
    "exp2": lax.exp2,
    "expm1": lax.expm1, "floor": lax.floor, "integer_pow": lambda y: lax.integer_pow(y, 3),
    "is_finite": lax.is_finite, "log": lambda y: lax.log(y * y + 1), "log1p": lambda y: lax.log1p(y * y),
    "logistic": lax.logistic, "neg": lax.neg, "round": lax.round, "sign": lax.sign, "sin": lax.sin,
    "rsqrt": lambda y: lax.rsqrt(y * y + 1), "sqrt": lambda y: lax.sqrt(y * y + 1), "square": lax.square,
    "tan": lambda y: lax.tan(y / 9), "tanh": lax.tanh,
    "convert_element_type": lambda y: y.astype(jnp.bfloat16),
    "reduce_precision": lambda y: lax.reduce_precision(y, 8, 7),
    "not": lambda y: ~(y > 0),
}  # fmt: skip

BINARY = {
    "add": lax.add, "sub": lax.sub, "mul": lax.mul, "max": lax.max, "min": lax.min, "eq": lax.eq,
    "ne": lax.ne,
    "ge": lax.ge, "gt": lax.gt, "le": lax.le, "lt": lax.lt, "nextafter": lax.nextafter,
    "div": lambda y, z: lax.div(y, z * z + 1), "rem": lambda y, z: lax.rem(y, z * z + 1),
    "pow": lambda y, z: lax.pow(y * y + 1, z), "and": lambda y, z: (y > 0) & (z > 0),
    "or": lambda y, z: (y > 0) | (z > 0), "xor": lambda y, z: (y > 0) ^ (z > 0),
    "select_n": lambda y, z: lax.select_n(z > 0, y, z),
    "clamp": lambda y, z: lax.clamp(z - 1, y, z + 1),
    "add_any": lambda y, z: jax.grad(lambda y: jnp.sum(y * z + jnp.sin(y)))(y),
}  # fmt: skip

OTHERS = {
    "reduce_sum": lambda y: jnp.sum(y, (1, 3)),
    "reduce_max": lambda y: jnp.max(y, (0, 2)),
    "reduce_min": lambda y: jnp.min(y, 3),
    "reduce_prod": lambda y: jnp.prod(y, (2, 3)),
    "custom_jvp_call": jax.nn.relu,
    "transpose": lambda y: y.transpose(3, 0, 2, 1),
    "pad": lambda y: lax.pad(y, 2.0, [(1, 0, 0), (-1, 2, 0), (0, 1, 1), (2, -1, 0)]),
    "slice": lambda y: y[:1, 1:3, ::2, 2:],
    "concatenate": lambda y: jnp.concatenate([y, 2 * y, OTHER[:, :2]], 1),
}

EVERY = {**UNARY, **{name: lambda y, f=f: f(y, OTHER) for name, f in BINARY.items()}, **OTHERS}

# Of these the derivative is not what the plain function has, being zero or missing: values only.
VALUES_ONLY = {"nextafter"}


def test_every_rule_is_tested_below():
    # stop_gradient does not appear in a jaxpr.
    assert set(RULES) - set(EVERY) <= {"stop_gradient"}


@pytest.mark.parametrize("name", sorted(EVERY))
def test_rule_agrees_with_the_plain_function(name):
    function = on_images(EVERY[name])
    jaxpr = jax.make_jaxpr(function)(PIXELS, KERNEL).jaxpr
    assert contains(jaxpr, lambda equation: equation.primitive.name == name) or name == "custom_jvp_call"
    (result,) = wrapped_results(function, PIXELS, KERNEL)
    reduces = name in ("reduce_sum", "reduce_max", "reduce_min", "reduce_prod")
    assert isinstance(result, Image) is not reduces
    if name in VALUES_ONLY:
        assert_close(unwrap([result])[0], function(PIXELS, KERNEL))
    else:
        assert_same_function(function, PIXELS, KERNEL)


@pytest.mark.parametrize(
    "after",
    [
        lambda y: jnp.cumsum(y, 2),
        lambda y: jnp.argmax(y, 3),
        lambda y: jnp.flip(y, 1),
        lambda y: y.reshape(2, -1) @ jnp.ones((80, 3)),
        lambda y: y[:, ::2] + y[:1, 1:2],
        lambda y: jnp.sort(y, 3),
        lambda y: lax.reduce_window(y, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
        lambda y: lax.fori_loop(0, 2, lambda _, c: jnp.sin(c), y),
        jax.checkpoint(jnp.tanh),
        lambda y: lax.cond(y[0, 0, 0, 0] > 0, jnp.sin, jnp.cos, y),
        lambda y: jnp.logaddexp(y, y[:, :1, :1]),
        lambda y: lax.expand_dims(y, (1,)) * 2,
    ],
    ids=["cumsum", "argmax", "rev", "dense", "gather", "sort", "pool", "loop", "checkpoint", "cond",
         "logaddexp", "expand"],
)  # fmt: skip
def test_operations_without_a_rule_get_the_original_layout(after):
    assert_same_function(on_images(after), PIXELS, KERNEL)


@pytest.mark.parametrize(
    "after",
    [
        lambda y: y * y[:1],
        lambda y: y - jnp.mean(y, (1, 2), keepdims=True),
        lambda y: y * jnp.arange(5.0)[None, None, None],
        lambda y: jnp.arange(5.0) + y,
        lambda y: lax.select(jnp.mean(y) > 0, y, -y),
        lambda y: y[:, :1] * y[:, :, :1],
    ],
    ids=["batch of one", "mean", "channel", "bias", "scalar", "both"],
)
def test_axes_of_size_one_are_broadcast(after):
    assert_same_function(on_images(after), PIXELS, KERNEL)


def test_images_with_different_layouts():
    def function(x, kernel):
        y = downsample(x, kernel)
        turned = lax.conv_general_dilated(
            x.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1), (2, 2), "SAME", dimension_numbers=NCHW
        )
        y, z = y.transpose(0, 3, 2, 1), turned.transpose(0, 1, 3, 2)
        return jnp.concatenate([y, z, y * z], 1) + jnp.concatenate([z, y, z], 1)

    assert_same_function(function, PIXELS, KERNEL)


def test_an_activation_with_a_second_image_of_another_shape():
    @jax.custom_jvp
    def twice(y, unread):
        return 2 * y

    twice.defjvp(lambda primals, tangents: (twice(*primals), 2 * tangents[0]))
    assert_same_function(on_images(lambda y: twice(y, y[:, :1])), PIXELS, KERNEL)


def test_an_activation_that_is_not_elementwise_gets_the_original_layout():
    weights = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE) / 100

    @jax.custom_jvp
    def weighted(y):
        return weights * y

    weighted.defjvp(lambda primals, tangents: (weighted(*primals), weights * tangents[0]))
    assert_same_function(on_images(weighted), PIXELS, KERNEL)


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (2, 2, 8, 3)], ids=["no images", "no features"])
def test_empty_results(shape):
    def function(x, kernel):
        return lax.conv_general_dilated(x, kernel, (2, 2), "VALID", dimension_numbers=NHWC)

    result = fast_convolutions(function)(jnp.zeros(shape), KERNEL)
    assert result.shape == function(jnp.zeros(shape), KERNEL).shape
    assert result.size == 0


@pytest.mark.parametrize(
    ("activation", "slope_at_zero"),
    [(jax.nn.relu, 0.0), (lambda y: jax.nn.leaky_relu(y, 0.2), 1.0)],
    ids=["relu", "leaky relu"],
)
def test_gradients_at_exactly_zero_are_those_of_the_activation(activation, slope_at_zero):
    def total(bias):
        function = on_images(lambda y: activation(y + bias))
        return jnp.sum(fast_convolutions(function)(jnp.zeros_like(PIXELS), KERNEL))

    np.testing.assert_array_equal(jax.grad(total)(jnp.zeros(SHAPE)), slope_at_zero)
    assert jax.grad(lambda y: jnp.sum(activation(y)))(jnp.zeros(())) == slope_at_zero


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_other_dtypes_have_no_plan(dtype):
    x, kernel = PIXELS.astype(dtype), KERNEL.astype(dtype)
    jaxpr = jax.make_jaxpr(downsample)(x, kernel).jaxpr
    assert contains(jaxpr, is_strided)
    assert not contains(jaxpr, has_plan)
    assert fast_convolutions(downsample)(x, kernel).dtype == dtype
    assert contains(jax.make_jaxpr(downsample)(PIXELS, KERNEL).jaxpr, has_plan)


def test_float64_has_no_plan():
    with jax.enable_x64(True):
        x, kernel = jnp.asarray(np.ones((2, 8, 8, 3))), jnp.asarray(np.ones((4, 4, 3, 5)))
        assert x.dtype == np.float64
        assert not contains(jax.make_jaxpr(downsample)(x, kernel).jaxpr, has_plan)
        np.testing.assert_array_equal(fast_convolutions(downsample)(x, kernel), downsample(x, kernel))


def rank_four_transposes(jaxpr):
    for equation in jaxpr.eqns:
        if equation.primitive.name == "transpose" and equation.invars[0].aval.ndim == 4:
            yield equation.invars[0].aval.shape
        for inner in core.jaxprs_in_params(equation.params):
            yield from rank_four_transposes(inner)


def test_images_are_not_transposed_between_two_convolutions():
    """Two convolutions with statistics, one noise value for each channel, and relu between them."""

    def function(x, first, second, scale):
        y = downsample(x, first)
        mean, square = jnp.mean(y, (0, 1, 2)), jnp.mean(y * y, (0, 1, 2))
        y = jax.nn.relu((y - mean) * lax.rsqrt(square - mean**2 + 1e-3) * scale)
        return upsample(y, second)

    operands = PIXELS, KERNEL, KERNEL, jnp.ones(5)
    turned = jax.make_jaxpr(lambda *o: unwrap(wrapped_results(function, *o)))(*operands)
    shapes = list(rank_four_transposes(turned.jaxpr))
    # The pixels at the beginning and at the end; the others are kernels and numbers per channel.
    large = [shape for shape in shapes if int(np.prod(shape)) > KERNEL.size or shape in (SHAPE, SHAPE[::-1])]
    assert sorted(large) == sorted([PIXELS.shape, (3, 8, 8, 2)])
