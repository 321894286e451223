"""One pass and one pullback are two of each, where they are used."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import layers

import ganjax
from ganjax import Labelled, discriminator_pass, losses, networks
from ganjax.discriminator_pass import Scores

BATCH = 5


def make_gan(discriminator, dtype="float32"):
    keras.config.set_dtype_policy(dtype)
    try:
        D = discriminator()
        generator = networks.mlp(3, [4], int(np.prod(D.input_shape[1:])))
    finally:
        keras.config.set_dtype_policy("float32")
    generator = keras.Sequential([keras.Input((3,)), generator, layers.Reshape(D.input_shape[1:])])
    return ganjax.GAN(generator, D)


def perceptron():
    return networks.mlp(2, [8, 8], 1, activation="leaky_relu")


def images():
    strided = layers.Conv2D(4, 3, 2, activation="relu")
    return keras.Sequential([keras.Input((7, 7, 2)), strided, layers.Flatten(), layers.Dense(1)])


def patches():
    return keras.Sequential([keras.Input((7, 7, 2)), layers.Conv2D(1, 3, 2)])


def normalized():
    return keras.Sequential(
        [keras.Input((2,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(1)]
    )


def passed(gan, make_pass):
    """Logits of a real and a generated batch, the pullback of them and of nothing added, and statistics."""
    D = ganjax.init_state(gan, jax.random.key(0)).discriminator
    real, fake = jax.random.normal(jax.random.key(1), (2, BATCH, *gan.sample_shape))
    (logits, added), pull, statistics = jax.vjp(
        make_pass(gan, D, Labelled(real)), D.params, fake, has_aux=True
    )
    assert added == []
    return logits, pull, statistics


def close(one, other, scale=1.0):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6 * scale)


@pytest.mark.parametrize("discriminator", [perceptron, images, patches])
def test_one_pass_is_two(discriminator):
    gan = make_gan(discriminator)
    one, pull_one, _ = passed(gan, discriminator_pass.one_call)
    two, pull_two, _ = passed(gan, discriminator_pass.two_calls)
    close(one, two)
    cotangents = (Scores(jnp.cos(two[0].logits)), Scores(jnp.sin(two[1].logits))), []
    close(pull_one(cotangents), pull_two(cotangents))


@pytest.mark.parametrize("discriminator", [perceptron, images])
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "minimax", "least_squares", "hinge", "wasserstein"])
@pytest.mark.parametrize("shift", [0.0, 30.0, -120.0])
def test_one_pullback_is_two(discriminator, loss, shift):
    """Also where D is so sure of a sample that its own loss has no slope: far to the left."""
    loss = getattr(losses, loss)
    (real, fake), pull_logits, _ = passed(make_gan(discriminator), discriminator_pass.two_calls)
    real, fake = real.logits, fake.logits + shift
    D_cotangents = tuple(map(Scores, jax.grad(loss.discriminator, (0, 1))(real, fake))), []
    G_cotangent = Scores(jax.grad(loss.generator)(fake, real))
    one = discriminator_pass.one_pullback(pull_logits, D_cotangents, G_cotangent)
    two = discriminator_pass.two_pullbacks(pull_logits, D_cotangents, G_cotangent)
    close(one, two, scale=1 + abs(shift))
    assert np.any(one[1] != 0) or np.all(G_cotangent.logits == 0)


def test_one_pullback_without_any_derivative_is_zero():
    (_, fake), pull_logits, _ = passed(make_gan(perceptron), discriminator_pass.two_calls)
    nothing = jax.tree.map(jnp.zeros_like, fake)
    D_gradient, fake_cotangent = discriminator_pass.one_pullback(
        pull_logits, ((nothing, nothing), []), nothing
    )
    assert not any(np.any(x) for x in [*D_gradient, fake_cotangent])


def test_one_pullback_hides_no_nan():
    (_, fake), pull_logits, _ = passed(make_gan(perceptron), discriminator_pass.two_calls)
    bad = Scores(jnp.full_like(fake.logits, jnp.nan))
    D_gradient, fake_cotangent = discriminator_pass.one_pullback(pull_logits, ((bad, bad), []), bad)
    assert all(np.isnan(x).any() for x in [*D_gradient, fake_cotangent])


@pytest.mark.parametrize(
    ("discriminator", "dtype", "passes", "pullbacks"),
    [
        (perceptron, "float32", 1, 1),
        (perceptron, "mixed_bfloat16", 1, 1),
        (perceptron, "mixed_float16", 1, 2),  # too narrow for the smallest cotangents
        (images, "float32", 2, 1),
        (patches, "float32", 2, 2),  # several logits a sample
        (normalized, "float32", 2, 2),
    ],
)
def test_number_of_calls(discriminator, dtype, passes, pullbacks, monkeypatch):
    gan = make_gan(discriminator, dtype)
    calls = []
    forward = discriminator_pass.forward

    def counted(gan, model, *, training):
        function = forward(gan, model, training=training)
        return lambda *arguments: calls.append(1) or function(*arguments)

    monkeypatch.setattr(discriminator_pass, "forward", counted)
    logits, pull_logits, _ = passed(gan, discriminator_pass.discriminator_pass)
    assert len(calls) == passes
    pulled = []
    cotangents = (logits, [])
    discriminator_pass.gradients_of_both(
        gan, lambda c: pulled.append(1) or pull_logits(c), cotangents, logits[1]
    )
    assert len(pulled) == pullbacks
