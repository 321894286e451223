"""Constraints, regularizers and losses of layers act as in Keras; optimisers are given what they ask for."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import QUICK
from keras import constraints, layers, regularizers

import ganjax
from ganjax import losses, stateless

RATE = 0.1
step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)


def dense(inputs, units, **options):
    return keras.Sequential([keras.Input((inputs,)), layers.Dense(units, **options)])


def make_gan(generator, discriminator, **options):
    sgd = optax.sgd(RATE)
    options = {"generator_optimizer": sgd, "discriminator_optimizer": sgd} | options
    return ganjax.GAN(generator, discriminator, losses.wasserstein, **options)


def real_batch(width=2):
    return 5 + jax.random.normal(jax.random.key(9), (6, width))


# Constraints.


@keras.saving.register_keras_serializable("test_added_losses")
class Clip(constraints.Constraint):
    """Weight clipping (Arjovsky et al. 2017, algorithm 1)."""

    def __init__(self, most=0.01):
        self.most = most

    def __call__(self, w):
        return keras.ops.clip(w, -self.most, self.most)

    def get_config(self):
        return {"most": self.most}


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_weight_clipping(update, key):
    gan = make_gan(dense(3, 2), dense(2, 1, kernel_constraint=Clip()), update=update, discriminator_updates=2)
    state = ganjax.init_state(gan, key)
    assert np.max(np.abs(state.discriminator.params[0])) > 0.01  # initial weights are as they are drawn
    for _ in range(3):
        state, _ = step(gan, state, jnp.concatenate([real_batch(), real_batch()]))
    kernel = state.discriminator.params[0]
    np.testing.assert_allclose(np.abs(kernel), 0.01, rtol=1e-6)  # each gradient pushes far beyond it
    assert np.any(np.abs(state.generator.params[1]) > 0)


CONSTRAINTS = {
    "NonNeg": (constraints.NonNeg(), lambda w: np.maximum(w, 0)),
    "UnitNorm": (constraints.UnitNorm(), lambda w: w / np.linalg.norm(w, axis=0)),
    "MaxNorm": (
        constraints.MaxNorm(0.3),
        lambda w: w * np.minimum(1, 0.3 / np.linalg.norm(w, axis=0)),
    ),
}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_follow_the_update(name, key):
    """Of both networks: the update of SGD, then the constraint."""
    constraint, by_hand = CONSTRAINTS[name]
    gan = make_gan(dense(3, 2, kernel_constraint=constraint), dense(2, 1, kernel_constraint=constraint))
    free = make_gan(dense(3, 2), dense(2, 1))
    state = ganjax.init_state(gan, key)
    new, _ = step(gan, state, real_batch())
    unbound, _ = step(free, state, real_batch())
    changed = False
    for network in ("generator", "discriminator"):
        kernel, bias = getattr(new, network).params
        free_kernel, free_bias = map(np.asarray, getattr(unbound, network).params)
        np.testing.assert_allclose(kernel, by_hand(free_kernel), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(bias, free_bias)
        changed = changed or np.any(kernel != free_kernel)
    assert changed


def test_unrolled_updates_are_constrained_too(key):
    """D's kernel is 0 in every unrolled update, so nothing comes back to G."""
    nothing = Clip(0.0)
    D = dense(2, 1, kernel_constraint=nothing)
    gan = make_gan(dense(3, 2), D, update="alternating", unrolling=1)
    state = ganjax.init_state(gan, key)
    new, _ = step(gan, state, real_batch())
    for a, b in zip(new.generator.params, state.generator.params, strict=True):
        np.testing.assert_array_equal(a, b)


# Regularizers, and losses of layers.


class Pushing(layers.Layer):
    """Adds twice the mean of its input to the loss."""

    def call(self, x):
        self.add_loss(2 * keras.ops.mean(x))
        return x


def with_losses(inputs, units):
    """Kernel, bias and activity regularizers, and `add_loss`."""
    hidden = layers.Dense(
        4,
        kernel_regularizer=regularizers.L2(0.3),
        bias_regularizer=regularizers.L1(0.2),
        activity_regularizer=regularizers.L2(0.05),
    )
    return keras.Sequential([keras.Input((inputs,)), hidden, Pushing(), layers.Dense(units)])


def plain(params, x):
    hidden = x @ params[0] + params[1]
    return hidden, hidden @ params[2] + params[3]


def added_by_weights(params):
    return 0.3 * jnp.sum(params[0] ** 2) + 0.2 * jnp.sum(jnp.abs(params[1]))


def added_by_activity(hidden):
    """Keras divides an activity regularizer by the batch size."""
    return 0.05 * jnp.sum(hidden**2) / len(hidden) + 2 * jnp.mean(hidden)


def D_total(D, real, fake):
    (real_hidden, real_logits), (fake_hidden, fake_logits) = plain(D, real), plain(D, fake)
    added = added_by_weights(D) + added_by_activity(real_hidden) + added_by_activity(fake_hidden)
    return losses.wasserstein.discriminator(real_logits, fake_logits) + added, added


def G_total(G, D, z):
    hidden, fake = plain(G, z)
    _, logits = plain(D, fake)
    return losses.wasserstein.generator(logits, logits) + added_by_weights(G) + added_by_activity(hidden)


def updated(params, gradient):
    return [p - RATE * g for p, g in zip(params, gradient, strict=True)]


def assert_close(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_losses_of_layers_are_minimised_with_the_networks_own(update, key):
    gan = make_gan(with_losses(3, 2), with_losses(2, 1), update=update)
    state = ganjax.init_state(gan, key)
    biased = functools.partial(jax.tree.map, lambda p: p + 0.1)  # L1 has no derivative at 0
    G, D = biased(state.generator.params), biased(state.discriminator.params)
    state = dataclasses.replace(
        state,
        generator=dataclasses.replace(state.generator, params=G),
        discriminator=dataclasses.replace(state.discriminator, params=D),
    )
    drawn = ganjax.draws.draw(gan, state.key, state.step, 6)
    with jax.numpy_rank_promotion("allow"):
        _, fake = plain(G, drawn.discriminator[0].latents)
        (_, added), D_gradient = jax.value_and_grad(D_total, has_aux=True)(D, real_batch(), fake)
        new_D = updated(D, D_gradient)
        seen, z = (
            (D, drawn.discriminator[0].latents)
            if update == "simultaneous"
            else (new_D, drawn.generator.latents)
        )
        new_G = updated(G, jax.grad(G_total)(G, seen, z))
    new, metrics = step(gan, state, real_batch())
    assert_close(new.discriminator.params, new_D)
    assert_close(new.generator.params, new_G)
    np.testing.assert_allclose(metrics["penalty"], added, rtol=1e-4)
    bare = losses.wasserstein.discriminator(*(plain_logits(D, x) for x in (real_batch(), fake)))
    np.testing.assert_allclose(metrics["discriminator_loss"], bare, rtol=1e-4)


def plain_logits(params, x):
    with jax.numpy_rank_promotion("allow"):
        return plain(params, x)[1]


def test_keras_adds_the_same(key):
    """What is added in one call, against Keras's own list of losses."""
    model = with_losses(3, 2)
    params, statistics = stateless.initial_weights(model, key)
    x = jax.random.normal(key, (5, 3))
    with stateless.standard_promotion():
        _, _, expected = model.stateless_call(params, statistics, x, training=True, return_losses=True)
    _, after = stateless.call_with_losses(model, params, statistics, x, training=True)
    found = [*after.losses, *stateless.regularization(model, params)]
    np.testing.assert_allclose(sorted(map(float, found)), sorted(map(float, expected)), rtol=1e-5)
    _, after = stateless.call_with_losses(model, params, statistics, x, training=False)
    assert after.losses == []


def test_a_samplewise_discriminator_with_a_weight_regularizer(key):
    """There one call and one pullback serve both losses: what weights add must not reach G."""
    options = {"kernel_regularizer": regularizers.L2(0.5)}
    gan, free = make_gan(dense(3, 2), dense(2, 1, **options)), make_gan(dense(3, 2), dense(2, 1))
    state = ganjax.init_state(gan, key)
    new, bare = (step(each, state, real_batch())[0] for each in (gan, free))
    assert_close(new.generator.params, bare.generator.params)
    kernel = state.discriminator.params[0]
    assert_close([new.discriminator.params[0]], [bare.discriminator.params[0] - RATE * 2 * 0.5 * kernel])


# Optimisers.


def test_multi_steps(key):
    """Two steps of half a batch are one step of a whole one."""
    sgd = optax.sgd(RATE)
    several = make_gan(
        dense(3, 2),
        dense(2, 1),
        generator_optimizer=optax.MultiSteps(sgd, 2),
        discriminator_optimizer=optax.MultiSteps(sgd, 2).gradient_transformation(),
    )
    state = ganjax.init_state(several, key)
    first, _ = step(several, state, real_batch())
    assert_close(first.generator.params, state.generator.params)
    second, _ = step(several, first, real_batch())
    drawn = [
        ganjax.draws.draw(several, state.key, jnp.int32(i), 6).discriminator[0].latents for i in range(2)
    ]
    G, D = state.generator.params, state.discriminator.params

    def G_loss(G, z):
        return -jnp.mean((z @ G[0] + G[1][None]) @ D[0] + D[1][None])

    gradients = [jax.grad(G_loss)(G, z) for z in drawn]
    assert_close(second.generator.params, updated(G, jax.tree.map(lambda a, b: (a + b) / 2, *gradients)))
    assert np.any(second.discriminator.params[0] != D[0])


def test_multi_steps_given_twice_are_one_gan():
    optimizer = optax.MultiSteps(optax.sgd(RATE), 2)
    one = make_gan(dense(3, 2), dense(2, 1), generator_optimizer=optimizer)
    other = make_gan(one.generator, one.discriminator, generator_optimizer=optimizer)
    assert one.generator_optimizer == other.generator_optimizer


def scale_by_value():
    """An optimiser that needs the loss and the gradient: the update is their product."""

    def update(updates, state, params=None, *, value, grad, **_):
        return jax.tree.map(lambda g: value * g, grad), state

    return optax.GradientTransformationExtraArgs(lambda _: optax.EmptyState(), update)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_optimisers_are_given_value_and_gradient(update, key):
    """The value is all that the network minimises, with penalties and what its layers add."""
    options = {"update": update, "penalties": (ganjax.R1(2.0),)}
    networks = dense(3, 2, bias_regularizer="l2"), dense(2, 1, kernel_regularizer=regularizers.L2(0.5))
    optimizers = {"generator_optimizer": scale_by_value(), "discriminator_optimizer": scale_by_value()}
    gan, sgd = make_gan(*networks, **optimizers, **options), make_gan(*networks, **options)
    state, sgd_state = ganjax.init_state(gan, key), ganjax.init_state(sgd, key)
    new, metrics = step(gan, state, real_batch())
    other, _ = step(sgd, sgd_state, real_batch())
    before, after = state.discriminator.params, new.discriminator.params
    gradient = [(a - b) / RATE for a, b in zip(before, other.discriminator.params, strict=True)]
    total = metrics["discriminator_loss"] + metrics["penalty"]
    assert_close(after, [p + total * g for p, g in zip(before, gradient, strict=True)])
    assert metrics["penalty"] > 0


def test_reduce_on_plateau(key):
    optimizer = optax.chain(optax.sgd(RATE), optax.contrib.reduce_on_plateau())
    gan = make_gan(dense(3, 2), dense(2, 1), discriminator_optimizer=optimizer)
    new, metrics = step(gan, ganjax.init_state(gan, key), real_batch())
    plateau = new.discriminator.optimizer[1]
    np.testing.assert_allclose(plateau.best_value, metrics["discriminator_loss"], rtol=1e-5)


def test_an_optimiser_that_asks_for_more_is_refused():
    message = r"^discriminator_optimizer cannot update the discriminator's weights \(.*value_fn.*\): it"
    with pytest.raises(ValueError, match=message) as error:
        make_gan(dense(3, 2), dense(2, 1), discriminator_optimizer=optax.lbfgs())
    assert "\n" not in str(error.value)
