"""Replaced convolutions equal the stock ones, and their derivatives contain no slow convolution."""

import collections
import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax import lax
from jax.extend import core
from keras import layers

from ganjax.networks import fast_convolutions

pytestmark = pytest.mark.usefixtures("keras_promotion")


def assert_close(actual, expected, tolerance=2e-5):
    """Every leaf within ``tolerance`` of its own largest value: float32 sums in another order."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        a, e = jnp.asarray(a), jnp.asarray(e)
        assert a.dtype == e.dtype
        np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * max(1.0, float(jnp.abs(e).max(initial=0))))


def normal(seed, shape):
    """By NumPy: JAX would compile a program for each shape."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def penalty(function):
    """A scalar whose gradient needs second derivatives with respect to all operands, as that of R1."""

    def of(*operands):
        gradients = jax.grad(lambda *o: jnp.sum(jnp.sin(function(*o))), argnums=(0, 1))(*operands)
        return sum(jnp.sum(g**2) for g in gradients)

    return of


def all_orders(function):
    """Value, both gradients, and both gradients of a gradient penalty."""

    def of(*operands):
        value = function(*operands)
        first = jax.grad(lambda *o: jnp.sum(jnp.sin(function(*o))), argnums=(0, 1))(*operands)
        return value, first, jax.grad(penalty(function), argnums=(0, 1))(*operands)

    return jax.jit(of)


def convolutions_in(jaxpr):
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            yield equation.params
        for inner in core.jaxprs_in_params(equation.params):
            yield from convolutions_in(inner)


def slow_convolutions(function, *operands):
    """How many convolutions are doubly dilated, or are kernel gradients with a dilated input.

    A kernel gradient contracts the batch, which stands first in every array of these tests.
    """
    found = list(convolutions_in(jax.make_jaxpr(function)(*operands).jaxpr))
    return sum(
        max(p["lhs_dilation"]) > 1 and (max(p["rhs_dilation"]) > 1 or p["dimension_numbers"].lhs_spec[0] != 0)
        for p in found
    )


def describe(model):
    """The model as a pure function, and its variables' values."""

    def function(trainable, state, x):
        return model.stateless_call(trainable, state, x, training=True)

    values = [
        [jnp.array(v.value, copy=True) for v in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    return function, *values


def small_generator():
    return keras.Sequential(
        [
            layers.Input((1, 1, 3)),
            layers.Conv2DTranspose(4, 4, strides=4, padding="valid", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(4, 4, strides=2, padding="same"),
            layers.Conv2DTranspose(3, 5, strides=2, padding="same", activation="tanh"),
        ]
    )


def small_discriminator(size=16):
    x = inputs = layers.Input((size, size, 3))
    x = layers.Conv2D(4, 4, strides=2, padding="same")(x)
    x = layers.LeakyReLU(0.2)(x)
    x = layers.Dropout(0.3, seed=1)(x)
    x = layers.SpectralNormalization(layers.Conv2D(5, 3, strides=2, padding="valid"))(x)
    x = layers.Activation("tanh")(x)
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))


@st.composite
def convolution_cases(draw):
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    explicit = st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2)
    padding = draw(st.one_of(st.sampled_from(["SAME", "VALID"]), explicit))
    size = draw(st.tuples(st.integers(5, 8), st.integers(5, 8)))
    return kernel, strides, padding, size, draw(st.booleans())


@settings(max_examples=8)
@given(convolution_cases())
@example(((3, 3), (1, 1), "SAME", (8, 6), False))
@example(((4, 4), (2, 2), "SAME", (8, 8), False))
def test_any_geometry_agrees_with_stock_to_second_order(case):
    kernel_size, strides, padding, size, transposed = case

    def stock(x, kernel):
        if transposed:
            return lax.conv_transpose(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return lax.conv_general_dilated(
            x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    operands = normal(0, (2, *size, 3)), normal(1, (*kernel_size, 3, 4))
    assert_close(all_orders(fast_convolutions(stock))(*operands), all_orders(stock)(*operands), 1e-4)
    assert slow_convolutions(all_orders(fast_convolutions(stock)), *operands) == 0


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("channels_first", [False, True])
def test_any_rank_and_layout(rank, channels_first):
    spatial = "DHW"[-rank:]
    image, window = (f"NC{spatial}", f"OI{spatial}") if channels_first else (f"N{spatial}C", f"{spatial}IO")
    sizes, kernel_size = (5, 6, 4)[:rank], (4, 3, 2)[:rank]
    x = normal(0, (2, 3, *sizes) if channels_first else (2, *sizes, 3))
    kernel = normal(1, (2, 3, *kernel_size) if channels_first else (*kernel_size, 3, 2))

    def stock(x, kernel):
        strides, layout = (2,) * rank, (image, window, image)
        features = lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=layout)
        return lax.conv_transpose(
            jnp.tanh(features), kernel, strides, "SAME", dimension_numbers=layout, transpose_kernel=True
        )

    assert_close(all_orders(fast_convolutions(stock))(x, kernel), all_orders(stock)(x, kernel))
    assert slow_convolutions(all_orders(fast_convolutions(stock)), x, kernel) == 0


@pytest.mark.parametrize("padding", [[(5, -1)], [(-1, 4)], [(0, 0)]])
def test_padding_beyond_the_window_and_negative(padding):
    def stock(x, kernel):
        return lax.conv_general_dilated(
            x, kernel, (1,), padding, lhs_dilation=(2,), dimension_numbers=("NHC", "HIO", "NHC")
        )

    operands = normal(0, (2, 6, 3)), normal(1, (4, 3, 2))
    assert_close(all_orders(fast_convolutions(stock))(*operands), all_orders(stock)(*operands))


@pytest.mark.parametrize("make", [small_generator, small_discriminator])
def test_keras_models_agree_with_stock(make):
    function, trainable, state = describe(make())
    x = normal(2, (3, *make().input_shape[1:]))

    def everything(call):
        def loss(trainable, x):
            y, new_state = call(trainable, state, x)
            return jnp.sum(jnp.sin(y)), (y, new_state)

        def r1(trainable, x):
            return sum(
                jnp.sum(g**2) for g in jax.tree.leaves(jax.grad(loss, 1, has_aux=True)(trainable, x)[0])
            )

        return jax.jit(
            lambda trainable, x: (
                jax.grad(loss, (0, 1), has_aux=True)(trainable, x),
                jax.grad(r1)(trainable, x),
            )
        )

    fast = fast_convolutions(function)
    # Through batch normalisation over twelve values, float32 keeps about four digits of a second derivative.
    assert_close(everything(fast)(trainable, x), everything(function)(trainable, x), tolerance=2e-4)
    # Control: the stock derivatives do contain slow convolutions.
    assert slow_convolutions(everything(function), trainable, x) > 0
    assert slow_convolutions(everything(fast), trainable, x) == 0


def test_for_cuda_all_convolutions_are_native_and_none_is_slow():
    function, trainable, state = describe(small_generator())
    z = normal(0, (2, 1, 1, 3))

    def kinds(call):
        gradient = jax.jit(jax.grad(lambda p: jnp.sum(jnp.sin(call(p, state, z)[0]))))
        text = jax.export.export(gradient, platforms=("cuda",))(trainable).mlir_module()
        pattern = r"stablehlo\.convolution.*?dim_numbers = \[(\w).*?window = \{(.*?)\}"
        return collections.Counter(
            (
                "kernel gradient" if leading == "f" else "image or features",
                "dilated input" if "lhs_dilate" in window else "",
                "dilated window" if "rhs_dilate" in window else "",
            )
            for leading, window in re.findall(pattern, text)
        )

    # Each layer: itself, its input's gradient (not the first's) and its kernel's gradient.
    assert kinds(fast_convolutions(function)) == {
        ("image or features", "dilated input", ""): 3,
        ("image or features", "", ""): 2,
        ("kernel gradient", "", "dilated window"): 3,
    }
    assert kinds(function)["kernel gradient", "dilated input", ""] == 3


def test_vmap_over_parameters_inputs_and_gradients():
    function, trainable, state = describe(small_generator())
    many = [jnp.stack([p, 2 * p, -p]) for p in trainable]
    z = normal(0, (3, 2, 1, 1, 3))
    fast = fast_convolutions(function)

    def loss(call):
        return lambda p, z: jnp.sum(jnp.sin(call(p, state, z)[0]))

    @jax.jit
    def mapped(many, z):
        return (
            jax.vmap(fast, (0, None, 0))(many, state, z),
            jax.vmap(jax.grad(loss(fast)))(many, z),
            jax.grad(lambda p: jnp.sum(jax.vmap(loss(fast))(p, z)))(many),
        )

    @jax.jit
    def single(parameters, z):
        return function(parameters, state, z), jax.grad(loss(function))(parameters, z)

    one_by_one = [single([p[i] for p in many], z[i]) for i in range(3)]
    values, gradients = jax.tree.map(lambda *leaves: jnp.stack(leaves), *one_by_one)
    # Batch normalisation over six values amplifies float32's rounding.
    assert_close(mapped(many, z), (values, gradients, gradients), tolerance=1e-4)


def transpose_once(x, kernel):
    return lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def scanned(x, kernel):
    return lax.scan(lambda c, k: (c + jnp.sum(transpose_once(x, k)), c), 0.0, kernel[None])[0]


@pytest.mark.parametrize(
    ("function", "is_replaced"),
    [
        (jax.jit(transpose_once), True),
        (jax.checkpoint(transpose_once), True),
        (
            lambda x, k: lax.cond(
                x[0, 0, 0, 0] > 0, transpose_once, lambda x, k: -transpose_once(x, k), x, k
            ),
            True,
        ),
        (scanned, False),
        (lambda x, k: lax.platform_dependent(x, k, cpu=transpose_once, default=transpose_once), False),
    ],
    ids=["jit", "checkpoint", "cond", "scan", "platform"],
)
def test_inside_other_transformations(function, is_replaced):
    operands = normal(0, (2, 4, 4, 3)), normal(1, (4, 4, 3, 2))
    fast = fast_convolutions(function)

    def gradient(f):
        return jax.grad(lambda *o: jnp.sum(jnp.sin(f(*o))), (0, 1))

    def both(f):
        return jax.jit(lambda *o: (f(*o), gradient(f)(*o)))(*operands)

    assert_close(both(fast), both(function))
    assert (slow_convolutions(gradient(fast), *operands) == 0) is is_replaced
    assert slow_convolutions(gradient(function), *operands) > 0


@pytest.mark.parametrize(
    "function",
    [
        lambda x, k: jnp.tanh(x) @ jnp.ones((3, 2)),
        lambda x, k: lax.conv_general_dilated(
            x, k[:1], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        ),
        lambda x, k: lax.conv_general_dilated(
            x, k[:, :, :1], (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=3
        ),
        lambda x, k: lax.conv_general_dilated(
            x, k, (2, 2), "SAME", rhs_dilation=(2, 2), dimension_numbers=("NHWC", "HWIO", "NHWC")
        ),
        lambda x, k: lax.conv_general_dilated(
            x.astype("bfloat16"),
            k.astype("bfloat16"),
            (2, 2),
            "SAME",
            preferred_element_type="float32",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        ),
    ],
    ids=["none", "unstrided without a form", "grouped", "atrous", "mixed"],
)
def test_other_functions_are_unchanged_equation_for_equation(function):
    operands = normal(0, (2, 4, 4, 3)), normal(1, (3, 3, 3, 3))
    assert str(jax.make_jaxpr(fast_convolutions(function))(*operands)) == str(
        jax.make_jaxpr(function)(*operands)
    )


def test_arguments_and_results_keep_their_pytrees():
    def function(x, *, options, scale):
        return {"image": transpose_once(x, options["kernel"]) * scale, "nothing": None, "same": x}

    x, options = normal(0, (2, 4, 4, 3)), {"kernel": normal(1, (4, 4, 3, 2)), "nothing": None}
    assert_close(
        fast_convolutions(function)(np.asarray(x), options=options, scale=2.0),
        function(x, options=options, scale=2.0),
    )


def test_unused_results():
    def function(x, kernel):
        largest, _ = lax.top_k(transpose_once(x, kernel), 1)
        return largest

    operands = normal(0, (2, 4, 4, 3)), normal(1, (4, 4, 3, 2))
    assert_close(fast_convolutions(function)(*operands), function(*operands))


def test_dtype_is_kept():
    operands = normal(0, (2, 4, 4, 3)).astype("bfloat16"), normal(1, (4, 4, 3, 2)).astype("bfloat16")
    fast = fast_convolutions(transpose_once)
    gradients = jax.grad(lambda *o: jnp.sum(fast(*o)), (0, 1))(*operands)
    assert {a.dtype for a in (fast(*operands), *gradients)} == {jnp.dtype("bfloat16")}


def test_is_pure_and_compiles_once():
    traces = []
    function, trainable, state = describe(small_generator())

    def counted(*arguments):
        traces.append(1)
        return function(*arguments)

    z = normal(0, (2, 1, 1, 3))
    fast = fast_convolutions(counted)
    assert not jax.make_jaxpr(fast)(trainable, state, z).effects
    jitted = jax.jit(fast)
    first = jitted(trainable, state, z)
    count = len(traces)
    again = jitted(trainable, state, z)
    assert len(traces) == count
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_forward_mode_is_refused_only_if_something_was_replaced():
    x, kernel = normal(0, (2, 4, 4, 3)), normal(1, (4, 4, 3, 2))
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(fast_convolutions(transpose_once), (x, kernel), (x, kernel))
    jax.jvp(fast_convolutions(jnp.tanh), (x,), (x,))
