"""Random networks of stock layers: a step against Keras and `jax.grad`; samples, export, saving, loading."""

import functools
import os
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import ganjax
from ganjax import losses, stateless
from ganjax.draws import draw

EXAMPLES = int(os.environ.get("GANJAX_RANDOM_NETWORKS", "4"))
RATE, WIDTH, BATCH = 0.05, 4, 6

activations = st.sampled_from([None, "relu", "tanh", "gelu", "swish", "elu", "softplus", "leaky_relu"])
initializers = st.sampled_from(["glorot_uniform", "he_normal", "orthogonal", "lecun_uniform"])
frozen = st.sampled_from([True, True, True, False])  # a quarter of the layers are


def image(*parts):
    return [layers.Reshape((2, 2, 1)), *parts, layers.Flatten(), layers.Dense(WIDTH)]


@st.composite
def blocks(draw):
    """A function that makes one to four layers, from WIDTH numbers to WIDTH numbers."""
    trainable, activation, initializer = draw(frozen), draw(activations), draw(initializers)
    options = {"trainable": trainable, "kernel_initializer": initializer}
    regularizer = draw(st.sampled_from([None, None, "l2"]))
    constraint = draw(st.sampled_from([None, None, "max_norm"]))
    padding = draw(st.sampled_from(["same", "valid"]))
    makers = {
        "dense": lambda: [
            layers.Dense(
                WIDTH, activation, kernel_regularizer=regularizer, kernel_constraint=constraint, **options
            )
        ],
        "convolution": lambda: image(layers.Conv2D(2, 2, padding=padding, activation=activation, **options)),
        "depthwise": lambda: image(layers.DepthwiseConv2D(2, padding="same", trainable=trainable)),
        "separable": lambda: image(layers.SeparableConv2D(2, 2, padding="same", trainable=trainable)),
        "transposed": lambda: image(layers.Conv2DTranspose(1, 2, 2, activation=activation, **options)),
        "pooling": lambda: image(layers.AveragePooling2D(2)),
        "1-D": lambda: [
            layers.Reshape((WIDTH, 1)),
            layers.Conv1D(1, 3, dilation_rate=2, padding="causal", **options),
            layers.Flatten(),
        ],
        "batch norm": lambda: [layers.BatchNormalization(momentum=0.5, trainable=trainable)],
        "layer norm": lambda: [layers.LayerNormalization(trainable=trainable)],
        "group norm": lambda: [layers.GroupNormalization(2, trainable=trainable)],
        "spectral norm": lambda: [layers.SpectralNormalization(layers.Dense(WIDTH, **options))],
        "prelu": lambda: [layers.PReLU(trainable=trainable)],
        "dropout": lambda: [layers.Dropout(0.3)],
        "noise": lambda: [layers.GaussianNoise(0.1)],
        "recurrent": lambda: [layers.Reshape((2, 2)), layers.GRU(WIDTH, trainable=trainable)],
    }
    return makers[draw(st.sampled_from(sorted(makers)))]


@st.composite
def networks(draw, inputs, outputs):
    """A function that makes the network: Keras takes numbers from Python's generator, a strategy may not."""
    makers, beside = draw(st.lists(blocks(), min_size=1, max_size=3)), draw(st.booleans())

    def make():
        parts = [layer for maker in makers for layer in maker()]
        model = keras.Sequential([keras.Input((inputs,)), layers.Dense(WIDTH), *parts, layers.Dense(outputs)])
        if not beside:
            return model
        x = keras.Input((inputs,))
        return keras.Model(x, layers.Add()([model(x), layers.Dense(outputs)(x)]))  # nested

    return make


def keras_call(model, params, statistics, x, key):
    """Keras's own call in training, its seeds set as ganjax sets them; and what its layers add."""
    variables = model.non_trainable_variables
    seeds = [i for i, v in enumerate(variables) if v.name == "seed_generator_state"]
    given = list(statistics)
    for n, i in enumerate(seeds):
        given[i] = jax.random.bits(jax.random.fold_in(key, n), (2,), "uint32")
    y, after, added = model.stateless_call(params, given, x, training=True, return_losses=True)
    kept = [i in seeds or (not v.trainable and is_weight(model, v)) for i, v in enumerate(variables)]
    after = [old if keep else new for old, new, keep in zip(statistics, after, kept, strict=True)]
    return y, after, sum(added, jnp.zeros(()))


def is_weight(model, variable):
    """Of a frozen layer."""
    layers_ = [layer for layer in model._flatten_layers() if not layer.trainable]
    return any(variable is v for layer in layers_ for v in layer.weights)


@functools.partial(jax.jit, static_argnums=0)
def expected_step(gan, state, real):
    """Both networks after one simultaneous step of SGD, by Keras and `jax.grad`."""
    drawn = draw(gan, state.key, state.step, BATCH).discriminator[0]
    keys = [drawn.penalty_key] * 4 if drawn.layer_key is None else jax.random.split(drawn.layer_key, 4)
    real_key, fake_key = jax.random.split(keys[1])
    G, D = state.generator, state.discriminator

    def D_loss(D_params, fake):
        real_logits, after, added = keras_call(gan.discriminator, D_params, D.statistics, real, real_key)
        fake_logits, after, more = keras_call(gan.discriminator, D_params, after, fake, fake_key)
        weights = sum(stateless.regularization(gan.discriminator, D_params), jnp.zeros(()))
        loss = losses.discriminator_loss(real_logits, fake_logits)
        return loss + added + more - weights, (after, fake_logits)  # the weights' were added twice

    def G_loss(G_params):
        fake, after, added = keras_call(gan.generator, G_params, G.statistics, drawn.latents, keys[0])
        _, (_, fake_logits) = D_loss(D.params, fake)
        return losses.generator_loss(fake_logits) + added, (fake, after)

    with stateless.standard_promotion():
        (_, (fake, G_after)), G_gradient = jax.value_and_grad(G_loss, has_aux=True)(G.params)
        (_, (D_after, _)), D_gradient = jax.value_and_grad(D_loss, has_aux=True)(D.params, fake)
        return [
            (updated(model, network.params, gradient), after)
            for model, network, gradient, after in (
                (gan.generator, G, G_gradient, G_after),
                (gan.discriminator, D, D_gradient, D_after),
            )
        ]


def updated(model, params, gradient):
    new = [p - RATE * g for p, g in zip(params, gradient, strict=True)]
    pairs = zip(model.trainable_variables, new, strict=True)
    return [value if v.constraint is None else v.constraint(value) for v, value in pairs]


# Keras's writer of weights calls np.array on its variables, whose __array__ knows no copy keyword yet.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@settings(max_examples=EXAMPLES)
@given(networks(3, 2), networks(2, 1))
def test_random_networks(G, D):
    with stateless.standard_promotion():
        generator, discriminator = G(), D()
    sgd = optax.sgd(RATE)
    options = {"generator_optimizer": sgd, "discriminator_optimizer": sgd, "ema_decay": 0.5}
    gan = ganjax.GAN(generator, discriminator, **options)
    state = ganjax.init_state(gan, jax.random.key(0))
    real = 1 + jax.random.normal(jax.random.key(1), (BATCH, 2))
    new, metrics = jax.jit(ganjax.train_step, static_argnums=0)(gan, state, real)
    assert float(metrics["finite"]) == 1
    found = (new.generator, new.discriminator)
    for network, (params, statistics) in zip(found, expected_step(gan, state, real), strict=True):
        for a, b in zip([*network.params, *network.statistics], [*params, *statistics], strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)

    latents = ganjax.sample_latent(gan, jax.random.key(2), 5)
    samples = ganjax.decode(gan, new, latents)
    pairs = (latents, samples), (samples, ganjax.discriminate(gan, new, samples))
    for exported, (inputs, outputs) in zip(ganjax.export_models(gan, new), pairs, strict=True):
        with tempfile.TemporaryDirectory() as folder, stateless.standard_promotion():
            exported.save(Path(folder) / "model.keras")
            loaded = keras.models.load_model(Path(folder) / "model.keras")
            for model in (exported, loaded):
                found_outputs = model(inputs, training=False)
                np.testing.assert_allclose(found_outputs, outputs, rtol=2e-4, atol=2e-5)
