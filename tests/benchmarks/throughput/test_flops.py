from functools import partial

import jax
import jax.numpy as jnp
import keras
import pytest
from keras import layers

from benchmarks.throughput import flops
from ganjax import losses, stateless
from ganjax.networks import dcgan, dense
from ganjax.system.errors import UserError

BATCH = 3


def counted_by_xla(function, *arguments) -> float:
    return jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]


def alone(layer, *shape):
    return keras.Sequential([keras.Input(shape), layer])


LAYERS = {
    "dense": lambda: alone(layers.Dense(7, use_bias=False), 5),
    "dense on pixels": lambda: alone(layers.Dense(7, use_bias=False), 4, 3, 5),
    **{
        f"{name} kernel {kernel} stride {stride} {padding} size {size}": (
            lambda kind=kind, kernel=kernel, stride=stride, padding=padding, size=size: alone(
                kind(6, kernel, strides=stride, padding=padding, use_bias=False), size, size + 1, 4
            )
        )
        for name, kind in (("convolution", layers.Conv2D), ("transposed", layers.Conv2DTranspose))
        for kernel, stride in ((3, 1), (4, 2), (5, 2), (1, 1), (3, 3))
        for padding in ("same", "valid")
        for size in (7, 8)
    },
    "grouped": lambda: alone(layers.Conv2D(6, 3, padding="same", groups=2, use_bias=False), 8, 8, 4),
    "dilated": lambda: alone(layers.Conv2D(6, 3, padding="same", dilation_rate=2, use_bias=False), 8, 8, 4),
    "one axis": lambda: alone(layers.Conv1D(6, 4, strides=2, padding="same", use_bias=False), 9, 4),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_counts_what_xla_counts(name):
    """Without a bias a layer is its product alone, and XLA counts each of the three the same."""
    model = LAYERS[name]()
    (work,) = flops.network(model)
    assert (work.kernel_gradient, work.input_gradient) == (True, False)
    params, statistics = stateless.initial_weights(model, jax.random.key(0))
    x = jnp.ones((BATCH, *stateless.input_shape(model)))

    def forward(params, x):
        return stateless.call(model, params, statistics, x, training=True)[0]

    y = forward(params, x)
    assert counted_by_xla(forward, params, x) == BATCH * work.forward
    assert (
        counted_by_xla(lambda x, y: jax.vjp(lambda x: forward(params, x), x)[1](y), x, y)
        == BATCH * work.forward
    )
    assert (
        counted_by_xla(lambda p, y: jax.vjp(lambda p: forward(p, x), p)[1](y), params, y)
        == BATCH * work.forward
    )


PAIRS = {
    # What is not counted (an update a weight, activations and normalisation a value) is a smaller share the
    # larger the batch and the wider the layers. The last number is the share of it that XLA may count.
    "linear": lambda: (linear(96, 96, 96), linear(96, 96, 96), 2048, 0.02),
    "dense": lambda: (dense.mlp(64, [256, 256], 64), dense.mlp(64, [256, 256], 1), 256, 0.03),
    "dcgan": lambda: (dcgan.dcgan_generator(32, 32), dcgan.dcgan_discriminator(32, 32, "batch"), 4, 0.06),
    "dcgan without normalisation": lambda: (
        dcgan.dcgan_generator(32, 32),
        dcgan.dcgan_discriminator(32, 32, None),
        4,
        0.06,
    ),
    "branches": lambda: (branches(), branches(), 1024, 0.03),
}


def linear(first, *widths):
    return keras.Sequential([keras.Input((first,)), *(layers.Dense(w, use_bias=False) for w in widths)])


def branches():
    x = inputs = keras.Input((96,))
    for _ in range(2):
        x = layers.Add()([layers.Dense(96, use_bias=False)(x), layers.Dense(96, "relu", use_bias=False)(x)])
    return keras.Model(inputs, layers.Dense(96, use_bias=False)(x))


def stock_step(generator, discriminator, weights, latents, real):
    """One simultaneous step on stock Keras layers, with plain gradient descent."""
    (G, G_statistics), (D, D_statistics) = weights

    def make(G):
        return stateless.call(generator, G, G_statistics, latents, training=True)[0]

    def score(D, fake):
        real_logits, statistics = stateless.call(discriminator, D, D_statistics, real, training=True)
        return real_logits, stateless.call(discriminator, D, statistics, fake, training=True)[0]

    fake, pull_fake = jax.vjp(make, G)
    logits, pull_logits = jax.vjp(score, D, fake)
    cotangents = jax.grad(losses.binary_cross_entropy.discriminator, argnums=(0, 1))(*logits)
    cotangent = jax.grad(losses.binary_cross_entropy.generator)(logits[1], logits[0])
    D_gradient, _ = pull_logits(cotangents)
    _, fake_cotangent = pull_logits((jnp.zeros_like(logits[0]), cotangent))
    (G_gradient,) = pull_fake(fake_cotangent)
    return jax.tree.map(lambda w, g: w - 0.01 * g, (G, D), (G_gradient, D_gradient))


@pytest.mark.parametrize("name", PAIRS)
def test_a_step_counts_what_xla_counts(name):
    generator, discriminator, batch, rest = PAIRS[name]()
    models = (generator, discriminator)
    latents, real = (jnp.ones((batch, *stateless.input_shape(model))) for model in models)
    weights = [stateless.initial_weights(model, jax.random.key(0)) for model in models]
    xla = counted_by_xla(partial(stock_step, *models), weights, latents, real)
    counted = flops.step_flops(generator, discriminator, batch)
    assert counted < xla < (1 + rest) * counted


def test_seeds_multiply_a_step():
    models = linear(4, 8, 2), linear(2, 8, 1)
    assert flops.step_flops(*models, 16, seeds=3) == 3 * flops.step_flops(*models, 16)


def test_frozen_layers_have_no_kernel_gradient():
    """The Fourier features of `mlp` are a frozen first layer."""
    frequencies, hidden, output = flops.network(dense.mlp(2, [16], 1, fourier_features=8))
    assert (frequencies.kernel_gradient, frequencies.input_gradient) == (False, False)
    assert (hidden.kernel_gradient, hidden.input_gradient) == (True, False)
    assert (output.kernel_gradient, output.input_gradient) == (True, True)
    assert (frequencies.forward, hidden.forward, output.forward) == (2 * 2 * 8, 2 * 18 * 16, 2 * 16)


def test_spectral_normalisation_counts_the_layer_it_wraps():
    plain, spectral = (dcgan.dcgan_discriminator(32, 8, norm) for norm in (None, "spectral"))
    assert [w[1:] for w in flops.network(spectral)] == [w[1:] for w in flops.network(plain)]


def test_the_original_pair():
    """By hand: along a side of n outputs, 4 n taps at stride 2, of which 2 fall over the edges."""
    works = flops.network(dcgan.original_discriminator())
    channels = [3, 64, 128, 256, 512, 1]
    expected = [
        2 * a * b * (4 * side - 2) ** 2
        for a, b, side in zip(channels[:-1], channels[1:], (32, 16, 8, 4, 2), strict=True)
    ]
    assert [work.forward for work in works] == expected


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda: alone(layers.SeparableConv2D(4, 3), 8, 8, 3),
            "operations of the layer .* cannot be counted",
        ),
        (lambda: alone(layers.Conv2D(4, 3, data_format="channels_first"), 3, 8, 8), "cannot be counted"),
        (Subclassed, "not Sequential or Functional"),
    ],
)
def test_what_has_no_count(model, message):
    with pytest.raises(UserError, match=message):
        flops.network(model())
