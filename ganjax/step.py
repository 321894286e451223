"""train_step: one training step of a GAN as a pure function, from what is drawn to what is measured."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import optax

from ganjax import stateless
from ganjax.discriminator_pass import (
    Added,
    DiscriminatorPass,
    Logits,
    discriminator_pass,
    gradients_of_both,
    two_calls,
)
from ganjax.gan import GAN
from ganjax.labelled import Labelled, check_real, labelled
from ganjax.sampling import forward, pack, sample_latent
from ganjax.state import AveragedWeights, GANState, NetworkState
from ganjax.stateless import Weights

Metrics = dict[str, jax.Array]
METRICS = (
    "generator_loss", "discriminator_loss", "penalty", "real_logits", "fake_logits", "real_accuracy",
    "fake_accuracy", "generator_gradient_norm", "discriminator_gradient_norm", "finite",
)  # fmt: skip
"""What a step reports, one float32 number each: the two losses, what is added to D's (penalties, and what its
layers add), mean logits, shares of logits on the right side of 0 (`accuracy`), norms of the gradients, and
whether all of these are finite (1, else 0)."""


def train_step(gan: GAN, state: GANState, real: jax.Array | Labelled) -> tuple[GANState, Metrics]:
    """The next state of a GAN, after one update of G and `gan.discriminator_updates` of D.

    Pure: the same inputs give the same bits. Meant for
    `jax.jit(train_step, static_argnums=0, donate_argnums=1)`; composes with `vmap` over states, `lax.scan`,
    sharded inputs and `jax.export`.

    Args:
        gan: what is trained, and how (static).
        state: from `init_state` or an earlier step.
        real: `(batch, *gan.sample_shape)` floating point, in the range of the generator's output. With
            `discriminator_updates` n, n batches in a row; G's update is paired with the last of them.
            For a conditional GAN `Labelled(samples, labels)`: G makes a sample for each label.

    Returns:
        `(state, metrics)`: metrics are float32 scalars, by the names of `METRICS`.

    Raises:
        TypeError, ValueError: while tracing, when `real` is not a batch this GAN can use.
    """
    check_real(real, gan.sample_shape, gan.label_shape, gan.discriminator_updates, gan.packing)
    batch = len(labelled(real).samples) // gan.discriminator_updates
    return step_with_draws(gan, state, real, draw(gan, state.key, state.step, batch))


# What is drawn.


class Draw(NamedTuple):
    """What one update draws: latents `(batch, *gan.latent_shape)`, keys for penalties and for `augment`, and
    one for the random layers of the networks (None where there are none).
    """

    latents: jax.Array
    penalty_key: jax.Array
    augment_key: jax.Array
    layer_key: jax.Array | None = None


def layer_keys(drawn: Draw) -> Any:
    """Keys for the random layers of G, of D, of D in its penalties, and of D unrolled."""
    return [None] * 4 if drawn.layer_key is None else jax.random.split(drawn.layer_key, 4)


class Draws(NamedTuple):
    """What one step draws.

    Attributes:
        discriminator: one `Draw` for each update of D. In simultaneous updates G shares the last of them.
        generator: for G's own update when it alternates with D's, otherwise None.
    """

    discriminator: tuple[Draw, ...]
    generator: Draw | None


def draw(gan: GAN, key: jax.Array, step: jax.Array, batch: int) -> Draws:
    """Everything random in step `step`: it follows from `fold_in(key, step)` alone.

    Args:
        gan: whose step it is.
        key: the state's key.
        step: int32 scalar.
        batch: samples in one update.
    """

    def one(key: jax.Array) -> Draw:
        latent_key, penalty_key, augment_key = jax.random.split(key, 3)
        layer_key = jax.random.fold_in(key, 3) if gan.is_random else None
        return Draw(sample_latent(gan, latent_key, batch), penalty_key, augment_key, layer_key)

    *early, last = jax.random.split(jax.random.fold_in(key, step), gan.discriminator_updates)
    generator = None
    if gan.update == "alternating":
        last, generator_key = jax.random.split(last)
        generator = one(generator_key)
    return Draws((*map(one, early), one(last)), generator)


# The updates.


def step_with_draws(
    gan: GAN, state: GANState, real: jax.Array | Labelled, draws: Draws
) -> tuple[GANState, Metrics]:
    """`train_step` with everything random already drawn, for whoever draws for many steps at once."""
    *early_batches, real = _split(labelled(real), gan.discriminator_updates)
    *early_draws, last = draws.discriminator
    for batch, early in zip(early_batches, early_draws, strict=True):
        discriminator, _ = _discriminator_update(gan, state, batch, early)
        state = dataclasses.replace(state, discriminator=discriminator)
    if draws.generator is None:
        state, metrics = _simultaneous_update(gan, state, real, last)
    else:
        state, metrics = _alternating_update(gan, state, real, last, draws.generator)
    ema = _averaged(gan, state.ema, state.generator, state.step)
    return dataclasses.replace(state, step=state.step + 1, ema=ema), _with_finite(metrics)


def _split(real: Labelled, n: int) -> list[Labelled]:
    """Its `n` batches, float32."""
    parts = jax.tree.map(lambda x: jnp.split(x.astype(jnp.float32), n), real)
    return jax.tree.transpose(jax.tree.structure(real), jax.tree.structure([0] * n), parts)


def _simultaneous_update(gan: GAN, state: GANState, real: Labelled, drawn: Draw) -> tuple[GANState, Metrics]:
    """Both gradients at the same point, from one pass of G and one of D over the real and the fake batch."""
    G, D = state.generator, state.discriminator
    real, make = _augmented(gan, real, drawn), _fake_batch(gan, G, real.labels, drawn)
    _, D_key, *_ = layer_keys(drawn)
    D_pass = functools.partial(discriminator_pass(gan, D, real), key=D_key)
    (fake, G_added), pull_fake, G_statistics = jax.vjp(make, G.params, has_aux=True)
    (logits, D_added), pull_logits, D_statistics = jax.vjp(D_pass, D.params, fake, has_aux=True)
    real_logits, fake_logits = logits
    D_loss, D_cotangents = jax.value_and_grad(gan.loss.discriminator, argnums=(0, 1))(*logits)
    G_loss, G_cotangent = jax.value_and_grad(gan.loss.generator)(fake_logits, real_logits)

    D_cotangents = (D_cotangents, jax.tree.map(jnp.ones_like, D_added))
    D_gradient, fake_cotangent = gradients_of_both(gan, pull_logits, D_cotangents, G_cotangent)
    (G_gradient,) = pull_fake((fake_cotangent, jax.tree.map(jnp.ones_like, G_added)))
    penalty, penalty_gradient = _penalty(gan, state, real, fake, drawn)
    D_gradient = jax.tree.map(jnp.add, D_gradient, penalty_gradient)
    penalty = sum(D_added, penalty)

    state = dataclasses.replace(
        state,
        generator=_updated_generator(gan, G, G_gradient, G_statistics, sum(G_added, G_loss)),
        discriminator=_updated_discriminator(gan, D, D_gradient, D_statistics, D_loss + penalty),
    )
    metrics = _discriminator_metrics(D_loss, penalty, logits, D_gradient)
    return state, metrics | _generator_metrics(G_loss, G_gradient)


def _alternating_update(
    gan: GAN, state: GANState, real: Labelled, drawn: Draw, G_drawn: Draw
) -> tuple[GANState, Metrics]:
    """D's update, and then G's against the new D with a fresh draw."""
    D, metrics = _discriminator_update(gan, state, real, drawn)
    G = state.generator
    make = _fake_batch(gan, G, real.labels, G_drawn)
    _, D_key, _, unrolled_key = layer_keys(G_drawn)
    # Two calls: most losses of G ignore the real logits, and the compiler then leaves D(real) out.
    D_pass = two_calls(gan, D, _augmented(gan, real, G_drawn))

    def loss(params: Weights) -> tuple[jax.Array, Any]:
        (fake, added), statistics = make(params)
        D_params = _unrolled_params(gan, D, D_pass, fake, unrolled_key)
        ((real_logits, fake_logits), _), _ = D_pass(D_params, fake, D_key)
        value = gan.loss.generator(fake_logits, real_logits)
        return sum(added, value), (value, statistics)

    (G_total, (G_loss, G_statistics)), G_gradient = jax.value_and_grad(loss, has_aux=True)(G.params)
    G = _updated_generator(gan, G, G_gradient, G_statistics, G_total)
    state = dataclasses.replace(state, generator=G, discriminator=D)
    return state, metrics | _generator_metrics(G_loss, G_gradient)


def _discriminator_update(
    gan: GAN, state: GANState, real: Labelled, drawn: Draw
) -> tuple[NetworkState, Metrics]:
    D, real = state.discriminator, _augmented(gan, real, drawn)
    (fake, _), _ = _fake_batch(gan, state.generator, real.labels, drawn)(state.generator.params)
    _, D_key, *_ = layer_keys(drawn)

    def loss(params: Weights) -> tuple[jax.Array, Any]:
        (logits, added), statistics = discriminator_pass(gan, D, real)(params, fake, D_key)
        value = gan.loss.discriminator(*logits)
        return sum(added, value), (value, added, logits, statistics)

    (_, aux), gradient = jax.value_and_grad(loss, has_aux=True)(D.params)
    D_loss, added, logits, statistics = aux
    penalty, penalty_gradient = _penalty(gan, state, real, fake, drawn)
    gradient = jax.tree.map(jnp.add, gradient, penalty_gradient)
    penalty = sum(added, penalty)
    D = _updated_discriminator(gan, D, gradient, statistics, D_loss + penalty)
    return D, _discriminator_metrics(D_loss, penalty, logits, gradient)


# What the updates are made of.


def _augmented(gan: GAN, real: Labelled, drawn: Draw) -> Labelled:
    """What the discriminator sees of a real batch."""
    return real._replace(samples=_seen(gan, real.samples, jax.random.fold_in(drawn.augment_key, 0)))


def _fake_batch(gan: GAN, G: NetworkState, labels: jax.Array | None, drawn: Draw) -> Any:
    """params -> ((fake batch as D sees it, what G's layers add to its loss), next statistics)"""
    G_forward = forward(gan, gan.generator, training=True)
    G_key, *_ = layer_keys(drawn)

    def make(params: Weights) -> tuple[tuple[jax.Array, Added], Weights]:
        fake, after = G_forward(params, G.statistics, drawn.latents, labels, G_key)
        added = [*after.losses, *stateless.regularization(gan.generator, params)]
        return (_seen(gan, fake, jax.random.fold_in(drawn.augment_key, 1)), added), after.statistics

    return make


def _seen(gan: GAN, x: jax.Array, key: jax.Array) -> jax.Array:
    return pack(gan.augment(key, x) if gan.augment else x, gan.packing)


def _penalty(
    gan: GAN, state: GANState, real: Labelled, fake: jax.Array, drawn: Draw
) -> tuple[jax.Array, Weights]:
    """Sum of D's penalties, and its gradient."""
    D, key = state.discriminator, drawn.penalty_key
    D_forward = forward(gan, gan.discriminator, training=True)
    _, _, D_key, _ = layer_keys(drawn)

    def total(params: Weights) -> jax.Array:
        calls = itertools.count()

        def discriminator(x: jax.Array) -> jax.Array:
            call_key = None if D_key is None else jax.random.fold_in(D_key, next(calls))
            return D_forward(params, D.statistics, x, real.labels, call_key)[0]

        terms = [
            term(discriminator, real.samples, fake, key=jax.random.fold_in(key, i), step=state.step)
            for i, term in enumerate(gan.penalties)
        ]
        return sum(terms, jnp.zeros((), jnp.float32))

    return jax.value_and_grad(total)(D.params)


def apply_gradients(
    model: keras.Model,
    optimizer: optax.GradientTransformation,
    network: NetworkState,
    gradient: Weights,
    statistics: Weights,
    value: jax.Array,
) -> NetworkState:
    """The network after one update of its optimiser and its constraints, with these as its next statistics.

    `value` is what the gradient is of, for optimisers that ask for it.
    """
    with stateless.standard_promotion():
        update = optax.with_extra_args_support(optimizer).update
        updates, memory = update(gradient, network.optimizer, network.params, value=value, grad=gradient)
        params = optax.apply_updates(network.params, updates)
    return NetworkState(stateless.constrained(model, params), statistics, memory)


def _updated_generator(gan: GAN, G: NetworkState, *update: Any) -> NetworkState:
    return apply_gradients(gan.generator, gan.generator_optimizer, G, *update)


def _updated_discriminator(gan: GAN, D: NetworkState, *update: Any) -> NetworkState:
    return apply_gradients(gan.discriminator, gan.discriminator_optimizer, D, *update)


def _unrolled_params(
    gan: GAN, D: NetworkState, D_pass: DiscriminatorPass, fake: jax.Array, key: jax.Array | None
) -> Weights:
    """D's weights after `gan.unrolling` more updates on this batch, as a differentiable function of `fake`.

    Metz et al. 2017, section 2.2, https://arxiv.org/abs/1611.02163. The updates are those of D's own
    optimiser, on its loss without penalties.
    """

    def update(D: NetworkState, key: jax.Array | None) -> tuple[NetworkState, None]:
        def loss(params: Weights) -> jax.Array:
            (logits, added), _ = D_pass(params, fake, key)
            return sum(added, gan.loss.discriminator(*logits))

        value, gradient = jax.value_and_grad(loss)(D.params)
        return _updated_discriminator(gan, D, gradient, D.statistics, value), None

    if not gan.unrolling:
        return D.params
    keys = None if key is None else jax.random.split(key, gan.unrolling)
    return jax.lax.scan(update, D, keys, length=gan.unrolling)[0].params


def _averaged(gan: GAN, ema: AveragedWeights, G: NetworkState, step: jax.Array) -> AveragedWeights:
    """The generator's exponential moving average after this step, its decay as `GAN.ema_decay` says."""
    t = step.astype(jnp.float32)
    decay = jnp.minimum(gan.ema_decay, (1 + t) / (10 + t))

    def average(old: jax.Array, new: jax.Array) -> jax.Array:
        if not jnp.issubdtype(new.dtype, jnp.floating):
            return new  # a dropout seed has no mean
        return (decay * old + (1 - decay) * new).astype(new.dtype)

    return AveragedWeights(
        jax.tree.map(average, ema.params, G.params),
        jax.tree.map(average, ema.statistics, G.statistics),
    )


# What is measured.


def _discriminator_metrics(loss: jax.Array, penalty: jax.Array, logits: Logits, gradient: Weights) -> Metrics:
    real_logits, fake_logits = logits
    return {
        "discriminator_loss": loss,
        "penalty": penalty,
        "real_logits": jnp.mean(real_logits),
        "fake_logits": jnp.mean(fake_logits),
        "real_accuracy": jnp.mean(real_logits > 0, dtype=jnp.float32),
        "fake_accuracy": jnp.mean(fake_logits < 0, dtype=jnp.float32),
        "discriminator_gradient_norm": optax.tree.norm(gradient),
    }


def _generator_metrics(loss: jax.Array, gradient: Weights) -> Metrics:
    return {"generator_loss": loss, "generator_gradient_norm": optax.tree.norm(gradient)}


def _with_finite(metrics: Metrics) -> Metrics:
    finite = jnp.all(jnp.isfinite(jnp.stack(list(metrics.values()))))
    return metrics | {"finite": finite.astype(jnp.float32)}
