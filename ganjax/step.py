"""train_step: the pure function that plays one round of the game."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from ganjax import step_metrics
from ganjax.checks import check_real
from ganjax.descent import descend, look_ahead
from ganjax.draws import Draw, Draws, draw
from ganjax.gan import GAN
from ganjax.judging import judge, judge_in_two_passes, pull
from ganjax.labelled import Labelled, labelled
from ganjax.packing import pack
from ganjax.sampling import forward
from ganjax.state import AveragedWeights, GANState, NetworkState
from ganjax.stateless import Weights
from ganjax.step_metrics import Metrics


def train_step(gan: GAN, state: GANState, real: jax.Array | Labelled) -> tuple[GANState, Metrics]:
    """The next state of the game, after one update of G and `gan.discriminator_updates` of D.

    Pure: the same inputs give the same bits. Meant for
    `jax.jit(train_step, static_argnums=0, donate_argnums=1)`; composes with `vmap` over states, `lax.scan`,
    sharded inputs and `jax.export`.

    Args:
        gan: the game (static).
        state: from `init_state` or an earlier step.
        real: `(batch, *gan.sample_shape)` floating point, in the range of the generator's output. With
            `discriminator_updates` n, n batches in a row, the last of which G's update is paired with.
            In a conditional game `Labelled(samples, labels)`: G makes a sample for each label.

    Returns:
        `(state, metrics)`: metrics are float32 scalars, by the names of `step_metrics.METRICS`.

    Raises:
        TypeError, ValueError: while tracing, when `real` is not a batch this game can use.
    """
    check_real(real, gan.sample_shape, gan.label_shape, gan.discriminator_updates, gan.packing)
    batch = len(labelled(real).samples) // gan.discriminator_updates
    return play(gan, state, real, draw(gan, state.key, state.step, batch))


def play(gan: GAN, state: GANState, real: jax.Array | Labelled, draws: Draws) -> tuple[GANState, Metrics]:
    """`train_step` with everything random already drawn, for whoever draws many steps' at once."""
    *early_batches, real = _split(labelled(real), gan.discriminator_updates)
    *early_draws, last = draws.discriminator
    for batch, early in zip(early_batches, early_draws, strict=True):
        discriminator, _ = _discriminator_update(gan, state, batch, early)
        state = dataclasses.replace(state, discriminator=discriminator)
    if draws.generator is None:
        state, metrics = _simultaneous_update(gan, state, real, last)
    else:
        state, metrics = _alternating_update(gan, state, real, last, draws.generator)
    ema = _average(gan, state.ema, state.generator, state.step)
    return dataclasses.replace(state, step=state.step + 1, ema=ema), step_metrics.with_finite(metrics)


def _split(real: Labelled, n: int) -> list[Labelled]:
    """Its `n` batches, float32."""
    parts = jax.tree.map(lambda x: jnp.split(x.astype(jnp.float32), n), real)
    return jax.tree.transpose(jax.tree.structure(real), jax.tree.structure([0] * n), parts)


def _simultaneous_update(gan: GAN, state: GANState, real: Labelled, drawn: Draw) -> tuple[GANState, Metrics]:
    G, D = state.generator, state.discriminator
    real, make = _augmented(gan, real, drawn), _generator_of(gan, G, real.labels, drawn)
    fake, pull_fake, G_statistics = jax.vjp(make, G.params, has_aux=True)
    logits, pull_logits, D_statistics = jax.vjp(judge(gan, D, real), D.params, fake, has_aux=True)
    real_logits, fake_logits = logits
    D_loss, D_cotangents = jax.value_and_grad(gan.loss.discriminator, argnums=(0, 1))(*logits)
    G_loss, G_cotangent = jax.value_and_grad(gan.loss.generator)(fake_logits, real_logits)

    D_gradient, fake_cotangent = pull(gan, pull_logits, D_cotangents, G_cotangent)
    (G_gradient,) = pull_fake(fake_cotangent)
    penalty, penalty_gradient = _penalty(gan, state, real, fake, drawn.penalty_key)
    D_gradient = jax.tree.map(jnp.add, D_gradient, penalty_gradient)

    state = dataclasses.replace(
        state,
        generator=descend(gan.generator_optimizer, G, G_gradient, G_statistics),
        discriminator=descend(gan.discriminator_optimizer, D, D_gradient, D_statistics),
    )
    metrics = step_metrics.of_discriminator(D_loss, penalty, logits, D_gradient)
    return state, metrics | step_metrics.of_generator(G_loss, G_gradient)


def _alternating_update(
    gan: GAN, state: GANState, real: Labelled, drawn: Draw, G_drawn: Draw
) -> tuple[GANState, Metrics]:
    D, metrics = _discriminator_update(gan, state, real, drawn)
    G = state.generator
    make = _generator_of(gan, G, real.labels, G_drawn)
    # Two passes: most losses of G ignore the real logits, and the compiler then leaves D(real) out.
    judge = judge_in_two_passes(gan, D, _augmented(gan, real, G_drawn))

    def loss(params: Weights) -> tuple[jax.Array, Weights]:
        fake, statistics = make(params)
        (real_logits, fake_logits), _ = judge(look_ahead(gan, D, judge, fake), fake)
        return gan.loss.generator(fake_logits, real_logits), statistics

    (G_loss, G_statistics), G_gradient = jax.value_and_grad(loss, has_aux=True)(G.params)
    G = descend(gan.generator_optimizer, G, G_gradient, G_statistics)
    state = dataclasses.replace(state, generator=G, discriminator=D)
    return state, metrics | step_metrics.of_generator(G_loss, G_gradient)


def _discriminator_update(
    gan: GAN, state: GANState, real: Labelled, drawn: Draw
) -> tuple[NetworkState, Metrics]:
    D, real = state.discriminator, _augmented(gan, real, drawn)
    fake, _ = _generator_of(gan, state.generator, real.labels, drawn)(state.generator.params)

    def loss(params: Weights) -> tuple[jax.Array, Any]:
        logits, statistics = judge(gan, D, real)(params, fake)
        return gan.loss.discriminator(*logits), (logits, statistics)

    (D_loss, (logits, statistics)), gradient = jax.value_and_grad(loss, has_aux=True)(D.params)
    penalty, penalty_gradient = _penalty(gan, state, real, fake, drawn.penalty_key)
    gradient = jax.tree.map(jnp.add, gradient, penalty_gradient)
    D = descend(gan.discriminator_optimizer, D, gradient, statistics)
    return D, step_metrics.of_discriminator(D_loss, penalty, logits, gradient)


def _augmented(gan: GAN, real: Labelled, drawn: Draw) -> Labelled:
    """What the discriminator sees of a real batch."""
    return real._replace(samples=_seen(gan, real.samples, jax.random.fold_in(drawn.augment_key, 0)))


def _generator_of(gan: GAN, G: NetworkState, labels: jax.Array | None, drawn: Draw) -> Any:
    """params -> (fake as the discriminator sees it, next statistics)"""
    G_forward = forward(gan, gan.generator, training=True)

    def make(params: Weights) -> tuple[jax.Array, Weights]:
        fake, statistics = G_forward(params, G.statistics, drawn.latents, labels)
        return _seen(gan, fake, jax.random.fold_in(drawn.augment_key, 1)), statistics

    return make


def _seen(gan: GAN, x: jax.Array, key: jax.Array) -> jax.Array:
    return pack(gan.augment(key, x) if gan.augment else x, gan.packing)


def _penalty(
    gan: GAN, state: GANState, real: Labelled, fake: jax.Array, key: jax.Array
) -> tuple[jax.Array, Weights]:
    D = state.discriminator
    D_forward = forward(gan, gan.discriminator, training=True)

    def total(params: Weights) -> jax.Array:
        def discriminator(x: jax.Array) -> jax.Array:
            return D_forward(params, D.statistics, x, real.labels)[0]

        terms = [
            term(discriminator, real.samples, fake, key=jax.random.fold_in(key, i), step=state.step)
            for i, term in enumerate(gan.penalties)
        ]
        return sum(terms, jnp.zeros((), jnp.float32))

    return jax.value_and_grad(total)(D.params)


def _average(gan: GAN, ema: AveragedWeights, G: NetworkState, step: jax.Array) -> AveragedWeights:
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
