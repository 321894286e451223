"""Objectives against float64 NumPy, at logits as large as 1e4."""

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from objectives_by_hand import EQUATIONS, softplus

import ganjax
from ganjax import losses

LOG_2 = np.log(2)


def test_every_pair_is_tested():
    pairs = {name for name, x in vars(losses).items() if isinstance(x, losses.Loss)}
    assert EQUATIONS.keys() == pairs - {"l1"}  # which is no pair of its own, but a term


@st.composite
def pairs_of_logits(draw):
    shape = draw(st.sampled_from([(1, 1), (7, 1), (3, 2, 2, 1)]))
    extremes = st.sampled_from([-1e4, 1e4, 0.0, 1e-30, -88.0, 89.0, -104.0])
    ordinary = st.floats(-1e4, 1e4, width=32)
    small = st.floats(-30, 30, width=32)
    element = st.one_of(small, ordinary, extremes)
    return tuple(draw(arrays.arrays(np.float32, shape, elements=element)) for _ in range(2))


COMPILED = {
    name: (
        jax.jit(jax.value_and_grad(getattr(losses, name).discriminator, argnums=(0, 1))),
        jax.jit(jax.value_and_grad(getattr(losses, name).generator)),
    )
    for name in EQUATIONS
}


def check_value(name, value, expected, logits):
    assert value.dtype == jnp.float32
    assert value.shape == ()
    # A mean of terms that nearly cancel is only as exact as the largest allows; denormals may be 0. Where
    # real and fake are subtracted, it is the logits that nearly cancel.
    subtracted = name in ("wasserstein", "relativistic_pairing")
    scale = np.max(np.abs(logits if subtracted else expected))
    np.testing.assert_allclose(value, np.mean(expected), rtol=2e-6, atol=1e-6 * scale + 1e-30)


@pytest.mark.parametrize("name", EQUATIONS)
@given(logits=pairs_of_logits())
def test_values_and_gradients(name, logits):
    real, fake = logits
    r, f = real.astype(np.float64), fake.astype(np.float64)
    D_equation, G_equation = EQUATIONS[name]
    D, G = COMPILED[name]

    value, gradients = D(jnp.asarray(real), jnp.asarray(fake))
    expected, *expected_gradients = D_equation(r, f)
    check_value(name, value, expected, (r, f))
    for gradient, want, logit in zip(gradients, expected_gradients, (r, f), strict=True):
        check_gradient(name, gradient, want, logit)

    value, gradient = G(jnp.asarray(fake), jnp.asarray(real))
    expected, expected_gradient = G_equation(f, r)
    check_value(name, value, expected, (r, f))
    check_gradient(name, gradient, expected_gradient, f)


def check_gradient(name, gradient, expected, logits):
    # At the hinge's very corner any slope between the two sides is a right one.
    smooth = np.abs(np.abs(logits) - 1) > 0 if name == "hinge" else np.ones(logits.shape, bool)
    wanted = (expected / logits.size)[smooth]
    np.testing.assert_allclose(np.asarray(gradient)[smooth], wanted, rtol=1e-5, atol=1e-7)
    assert np.all(np.isfinite(gradient))


def test_names_of_the_original_system():
    assert ganjax.generator_loss is losses.binary_cross_entropy.generator
    assert ganjax.discriminator_loss is losses.binary_cross_entropy.discriminator
    assert ganjax.generator_loss(jnp.zeros((4, 1))) == pytest.approx(LOG_2)  # one argument suffices
    assert ganjax.discriminator_loss(jnp.zeros((4, 1)), jnp.zeros((4, 1))) == pytest.approx(LOG_2)


def test_halves_of_the_discriminator_loss_are_averaged():
    right, wrong = jnp.full((3, 1), 50.0), jnp.full((5, 1), 2.0)
    assert ganjax.discriminator_loss(right, wrong) == pytest.approx(softplus(2.0) / 2)


def test_keras_cross_entropy_agrees():
    import keras

    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    real, fake = jax.random.normal(jax.random.key(0), (2, 16, 1)) * 3
    half = cross_entropy(jnp.ones_like(real), real) + cross_entropy(jnp.zeros_like(fake), fake)
    assert ganjax.discriminator_loss(real, fake) == pytest.approx(float(half) / 2, rel=1e-5)
    generator = cross_entropy(jnp.ones_like(fake), fake)
    assert ganjax.generator_loss(fake) == pytest.approx(float(generator), rel=1e-5)


def test_only_two_generators_look_at_real_logits():
    fake, real = jnp.array([[0.5], [-1.0]]), jnp.array([[2.0], [-3.0]])
    for name in EQUATIONS:
        differs = getattr(losses, name).generator(fake, real) != getattr(losses, name).generator(fake, -real)
        assert bool(differs) == (name in ("relativistic_pairing", "zero_sum"))


def test_relativistic_pairs_one_to_one():
    real, fake = jnp.array([[100.0], [-100.0]]), jnp.array([[99.0], [-101.0]])
    value = losses.relativistic_pairing.discriminator(real, fake)
    assert value == pytest.approx(softplus(-1.0))  # neither the means nor all four pairs give this


# Losses made of losses and numbers.


def test_a_weighted_sum_of_losses():
    pixels = losses.combine({losses.hinge: 2.0, losses.l1: 3.0})
    real, fake = jnp.float32([[0.5], [-2.0]]), jnp.float32([[1.5], [0.25]])
    value, rows = losses.evaluate(pixels.discriminator, real, fake)
    np.testing.assert_allclose(value, 2 * losses.hinge.discriminator(real, fake))
    assert rows == {}
    samples = {"fake_unaugmented": {"a": fake}, "real_unaugmented": {"a": real}, "labels": None}
    value, _ = losses.evaluate(pixels.generator, fake, real, **samples)
    np.testing.assert_allclose(value, -2 * np.mean(fake) + 3 * np.mean(np.abs(fake - real)), rtol=1e-6)
    assert losses.asked_for(pixels.generator) == {"fake_unaugmented", "real_unaugmented"}
    again = losses.combine({losses.hinge: 2.0, losses.l1: 3.0})
    assert (pixels, hash(pixels)) == (again, hash(again))


@pytest.mark.parametrize(("real_target", "fake_target"), [(0.9, 0.0), (1.0, 0.0), (0.7, 0.2)])
def test_label_smoothing(real_target, fake_target):
    real, fake = jnp.float32([0.3, -4.0]), jnp.float32([2.0, -1.0])
    loss = losses.with_label_smoothing(real_target, fake_target)

    def cross_entropy(logits, target):
        p = 1 / (1 + np.exp(-np.float64(logits)))
        return np.mean(-target * np.log(p) - (1 - target) * np.log(1 - p))

    expected = (cross_entropy(real, real_target) + cross_entropy(fake, fake_target)) / 2
    np.testing.assert_allclose(loss.discriminator(real, fake), expected, rtol=1e-6)
    assert loss.generator is losses.binary_cross_entropy.generator


def test_label_noise_has_the_mean_of_label_smoothing():
    real, fake = jnp.full(20_000, 0.3), jnp.full(20_000, -0.7)
    noisy, smooth = losses.with_label_noise(0.4), losses.with_label_smoothing(0.8, 0.2)
    values = [noisy.discriminator(real, fake, key=jax.random.key(i)) for i in range(2)]
    np.testing.assert_allclose(values, smooth.discriminator(real, fake), rtol=5e-3)
    assert values[0] != values[1]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: losses.combine({losses.hinge.generator: 1}),
            TypeError,
            "such as {hinge: 1.0}, got <function",
        ),
        (lambda: losses.combine({}), TypeError, "combine takes losses and their weights, .* got {}"),
        (lambda: losses.combine([losses.hinge]), TypeError, "combine takes losses and their weights"),
        (lambda: losses.with_label_noise(2), ValueError, r"label noise must be in \[0, 1\], got 2"),
        (
            lambda: losses.with_label_smoothing(real=1.5),
            ValueError,
            r"real samples must be in \[0, 1\], got 1.5",
        ),
    ],
)
def test_losses_of_numbers_out_of_range(call, kind, message):
    with pytest.raises(kind, match=message) as error:
        call()
    assert "\n" not in str(error.value)
