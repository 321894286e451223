"""Penalties of discriminators whose gradient is known in closed form."""

import dataclasses

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

import ganjax
from ganjax.penalties import R1, R2, WGANGP, squared_gradient

STEP = jnp.zeros((), jnp.int32)
W = np.array([3.0, -4.0], np.float32)  # of length 5


def linear(x):
    """D(x) = w . x + 7: its gradient is w everywhere."""
    return x @ jnp.asarray(W)[:, None] + 7.0


def quadratic(x):
    """D(x) = |x|^2 / 2: its gradient is x."""
    return jnp.sum(x**2, -1, keepdims=True) / 2


@pytest.fixture
def samples(key):
    real, fake = jax.random.normal(key, (2, 16, 2))
    return real, 3 + 2 * fake


def test_linear_discriminator(samples, key):
    assert R1(6.0)(linear, *samples, key=key, step=STEP) == pytest.approx(6 / 2 * 25)
    assert R2(6.0)(linear, *samples, key=key, step=STEP) == pytest.approx(6 / 2 * 25)
    assert WGANGP(6.0)(linear, *samples, key=key, step=STEP) == pytest.approx(6 * (5 - 1) ** 2)


def test_quadratic_discriminator(samples, key):
    real, fake = (np.asarray(x, np.float64) for x in samples)
    r1 = R1(2.0)(quadratic, *samples, key=key, step=STEP)
    r2 = R2(2.0)(quadratic, *samples, key=key, step=STEP)
    assert r1 == pytest.approx(np.mean(np.sum(real**2, 1)), rel=1e-5)
    assert r2 == pytest.approx(np.mean(np.sum(fake**2, 1)), rel=1e-5)
    # Each sample has its own u, so the norm is that of a point on the segment between its two ends.
    u = np.asarray(jax.random.uniform(key, (16, 1)), np.float64)
    norm = np.linalg.norm(u * real + (1 - u) * fake, axis=1)
    gp = WGANGP(2.0)(quadratic, *samples, key=key, step=STEP)
    assert gp == pytest.approx(2 * np.mean((norm - 1) ** 2), rel=1e-5)


def test_gradient_in_the_weights(samples, key):
    real, _ = samples

    def penalty(w, penalty):
        return penalty(lambda x: x @ w[:, None], *samples, key=key, step=STEP)

    w = jnp.asarray(W)
    # d/dw gamma/2 |w|^2 = gamma w; d/dw lambda (|w| - 1)^2 = 2 lambda (|w| - 1) w / |w|
    np.testing.assert_allclose(jax.grad(penalty)(w, R1(6.0)), 6 * W, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(penalty)(w, R2(6.0)), 6 * W, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(penalty)(w, WGANGP(6.0)), 2 * 6 * 4 * W / 5, rtol=1e-5)

    def scaled(a):  # D(x) = a |x|^2 / 2: E|a x|^2 gamma / 2, derivative gamma a E|x|^2
        return R1(6.0)(lambda x: a * quadratic(x), *samples, key=key, step=STEP)

    expected = 6 * 0.7 * np.mean(np.sum(np.asarray(real) ** 2, 1))
    np.testing.assert_allclose(jax.grad(scaled)(jnp.float32(0.7)), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [R1, R2, WGANGP])
def test_a_weight_is_a_number_of_at_least_0_or_a_schedule(kind):
    schedule = optax.constant_schedule(1.0)
    assert [kind(weight).weight for weight in (0, 0.5, np.float32(3), schedule)] == [0, 0.5, 3, schedule]
    for weight in (-1e-9, float("nan"), float("inf"), "1", None, jnp.ones(())):
        with pytest.raises(ValueError, match="weight must be a number >= 0 or a schedule, got ") as caught:
            kind(weight)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("penalty", [R1(), R2(), WGANGP()], ids=repr)
def test_flat_discriminator_gives_no_nan(penalty, samples, key):
    def value(w):
        return penalty(lambda x: x @ w[:, None], *samples, key=key, step=STEP)

    value, gradient = jax.value_and_grad(value)(jnp.zeros(2))
    assert value == pytest.approx(10.0 if isinstance(penalty, WGANGP) else 0.0)
    np.testing.assert_array_equal(gradient, np.zeros(2))


def test_defaults_are_the_papers():
    assert (R1().weight, R2().weight, WGANGP().weight) == (10.0, 10.0, 10.0)


def test_images_and_patches_are_summed_per_sample(key):
    x = jax.random.normal(key, (4, 2, 2, 1))

    def patches(x):  # 4 logits per image, the i-th is i x_i^2 / 2
        return x[..., 0] ** 2 / 2 * jnp.arange(4.0).reshape(1, 2, 2)

    expected = np.sum((np.asarray(x)[..., 0] * np.arange(4.0).reshape(1, 2, 2)) ** 2, axis=(1, 2))
    square = squared_gradient(patches, x)
    assert square.dtype == jnp.float32
    np.testing.assert_allclose(square, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [R1, R2, WGANGP])
def test_schedule_as_weight(kind, samples, key):
    schedule = optax.linear_schedule(8.0, 0.0, transition_steps=4)
    for step, weight in enumerate((8.0, 6.0, 4.0, 2.0, 0.0, 0.0)):
        scheduled = kind(schedule)(linear, *samples, key=key, step=jnp.int32(step))
        constant = kind(weight)(linear, *samples, key=key, step=STEP)
        assert scheduled.dtype == jnp.float32
        np.testing.assert_allclose(scheduled, constant, rtol=1e-6)


@pytest.mark.parametrize("kind", [R1, R2, WGANGP])
def test_a_weight_may_be_traced(kind, samples, key):
    def value(weight):
        return kind(weight)(quadratic, *samples, key=key, step=STEP)

    weights = np.float32([0, 0.5, 3])
    several = jax.vmap(value)(jnp.asarray(weights))
    np.testing.assert_allclose(several, [value(weight) for weight in weights], rtol=1e-6)
    with pytest.raises(ValueError, match="a number >= 0 or a schedule"):
        jax.jit(value)(jnp.asarray(weights))  # three in place of one


@pytest.mark.parametrize("kind", [R1, R2, WGANGP])
def test_penalties_are_hashable_values(kind):
    assert kind(3.0) == kind(3.0)
    assert hash(kind(3.0)) == hash(kind(3.0))
    assert kind(3.0) != kind(4.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind(3.0).weight = 4.0


def test_in_a_step(key):
    """With D linear, both gradients of the penalised loss are known: SGD shows them."""
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    schedule = optax.piecewise_constant_schedule(2.0, {1: 3.0})  # 2 at step 0, 6 from step 1 on
    gan = ganjax.GAN(
        generator,
        discriminator,
        ganjax.losses.wasserstein,
        penalties=(R1(schedule), R2(1.0), WGANGP(0.5)),
        discriminator_optimizer=optax.sgd(0.1),
    )
    state = ganjax.init_state(gan, key)
    step = jax.jit(ganjax.train_step, static_argnums=0)
    real = jax.random.normal(key, (8, 2))
    for gamma in (2.0, 6.0):
        new, metrics = step(gan, state, real)
        kernel = np.asarray(state.discriminator.params[0], np.float64)
        length = np.linalg.norm(kernel)
        penalty = gamma / 2 * length**2 + 1 / 2 * length**2 + 0.5 * (length - 1) ** 2
        assert metrics["penalty"] == pytest.approx(penalty, rel=1e-5)
        # E f - E r = (E fake - E real) . w: the loss is read off the metrics, which leave the penalty out.
        loss = float(metrics["fake_logits"]) - float(metrics["real_logits"])
        assert metrics["discriminator_loss"] == pytest.approx(loss, abs=1e-5)
        gradient = (kernel - np.asarray(new.discriminator.params[0], np.float64)) / 0.1
        penalty_gradient = (gamma + 1) * kernel + 2 * 0.5 * (length - 1) * kernel / length
        loss_gradient = gradient - penalty_gradient
        # The rest is the gradient of the loss alone: E fake - E real, whose product with w is the loss.
        np.testing.assert_allclose(np.sum(loss_gradient * kernel), metrics["discriminator_loss"], atol=1e-4)
        state = new
