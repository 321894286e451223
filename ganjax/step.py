"""train_step: the pure function that plays one round of the game."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ganjax import stateless
from ganjax.checks import check_real
from ganjax.draws import Draw, Draws, draw
from ganjax.gan import GAN
from ganjax.judging import judge, judge_in_two_passes, pull
from ganjax.sampling import forward
from ganjax.state import AveragedWeights, GANState, NetworkState
from ganjax.stateless import Weights

Metrics = dict[str, jax.Array]
METRICS = (
    "generator_loss", "discriminator_loss", "penalty", "real_logits", "fake_logits", "real_accuracy",
    "fake_accuracy", "generator_gradient_norm", "discriminator_gradient_norm", "finite",
)  # fmt: skip


def train_step(gan: GAN, state: GANState, real: jax.Array) -> tuple[GANState, Metrics]:
    """The next state of the game, after one update of G and `gan.discriminator_updates` of D.

    Pure: the same inputs give the same bits. Meant for
    `jax.jit(train_step, static_argnums=0, donate_argnums=1)`; composes with `vmap` over states, `lax.scan`,
    sharded inputs and `jax.export`.

    Args:
        gan: the game (static).
        state: from `init_state` or an earlier step.
        real: `(batch, *gan.sample_shape)` floating point, in the range of the generator's output. With
            `discriminator_updates` n, n batches in a row, the last of which G's update is paired with.

    Returns:
        `(state, metrics)`: metrics are float32 scalars: `generator_loss`, `discriminator_loss` (without
        penalties), `penalty`, `real_logits` and `fake_logits` (means), `real_accuracy` and `fake_accuracy`
        (share of logits on the right side of 0), `generator_gradient_norm`, `discriminator_gradient_norm`,
        and `finite` (1 when all of these are, else 0).

    Raises:
        TypeError, ValueError: while tracing, when `real` is not a batch this game can use.
    """
    check_real(real, gan.sample_shape, gan.discriminator_updates)
    draws = draw(gan, state.key, state.step, len(real) // gan.discriminator_updates)
    return play(gan, state, real, draws)


def play(gan: GAN, state: GANState, real: jax.Array, draws: Draws) -> tuple[GANState, Metrics]:
    """`train_step` with everything random already drawn, for whoever draws many steps' at once."""
    real = real.astype(jnp.float32)
    *early_batches, real = jnp.split(real, gan.discriminator_updates)
    *early_draws, last = draws.discriminator
    for batch, early in zip(early_batches, early_draws, strict=True):
        discriminator, _ = _discriminator_update(gan, state, batch, early)
        state = dataclasses.replace(state, discriminator=discriminator)
    if draws.generator is None:
        state, metrics = _simultaneous_update(gan, state, real, last)
    else:
        state, metrics = _alternating_update(gan, state, real, last, draws.generator)
    ema = _average(gan, state.ema, state.generator, state.step)
    return dataclasses.replace(state, step=state.step + 1, ema=ema), _with_finite(metrics)


def _simultaneous_update(gan: GAN, state: GANState, real: jax.Array, drawn: Draw) -> tuple[GANState, Metrics]:
    G, D = state.generator, state.discriminator
    fake, pull_fake, G_statistics = jax.vjp(_generator_of(gan, G, drawn.latents), G.params, has_aux=True)
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
        generator=_descend(gan.generator_optimizer, G, G_gradient, G_statistics),
        discriminator=_descend(gan.discriminator_optimizer, D, D_gradient, D_statistics),
    )
    metrics = _judgement(D_loss, penalty, logits, D_gradient)
    return state, metrics | _generator_metrics(G_loss, G_gradient)


def _alternating_update(
    gan: GAN, state: GANState, real: jax.Array, drawn: Draw, latents: jax.Array
) -> tuple[GANState, Metrics]:
    D, metrics = _discriminator_update(gan, state, real, drawn)
    G = state.generator
    make = _generator_of(gan, G, latents)
    # Two passes: most losses of G ignore the real logits, and the compiler then leaves D(real) out.
    judge = judge_in_two_passes(gan, D, real)

    def loss(params: Weights) -> tuple[jax.Array, Weights]:
        fake, statistics = make(params)
        (real_logits, fake_logits), _ = judge(D.params, fake)
        return gan.loss.generator(fake_logits, real_logits), statistics

    (G_loss, G_statistics), G_gradient = jax.value_and_grad(loss, has_aux=True)(G.params)
    G = _descend(gan.generator_optimizer, G, G_gradient, G_statistics)
    state = dataclasses.replace(state, generator=G, discriminator=D)
    return state, metrics | _generator_metrics(G_loss, G_gradient)


def _discriminator_update(
    gan: GAN, state: GANState, real: jax.Array, drawn: Draw
) -> tuple[NetworkState, Metrics]:
    D = state.discriminator
    fake, _ = _generator_of(gan, state.generator, drawn.latents)(state.generator.params)

    def loss(params: Weights) -> tuple[jax.Array, Any]:
        logits, statistics = judge(gan, D, real)(params, fake)
        return gan.loss.discriminator(*logits), (logits, statistics)

    (D_loss, (logits, statistics)), gradient = jax.value_and_grad(loss, has_aux=True)(D.params)
    penalty, penalty_gradient = _penalty(gan, state, real, fake, drawn.penalty_key)
    gradient = jax.tree.map(jnp.add, gradient, penalty_gradient)
    D = _descend(gan.discriminator_optimizer, D, gradient, statistics)
    return D, _judgement(D_loss, penalty, logits, gradient)


def _generator_of(gan: GAN, G: NetworkState, latents: jax.Array) -> Any:
    """params -> (fake, next statistics)"""
    G_forward = forward(gan, gan.generator, training=True)
    return lambda params: G_forward(params, G.statistics, latents)


def _penalty(
    gan: GAN, state: GANState, real: jax.Array, fake: jax.Array, key: jax.Array
) -> tuple[jax.Array, Weights]:
    D = state.discriminator
    D_forward = forward(gan, gan.discriminator, training=True)

    def total(params: Weights) -> jax.Array:
        def discriminator(x: jax.Array) -> jax.Array:
            return D_forward(params, D.statistics, x)[0]

        terms = [
            term(discriminator, real, fake, key=jax.random.fold_in(key, i), step=state.step)
            for i, term in enumerate(gan.penalties)
        ]
        return sum(terms, jnp.zeros((), jnp.float32))

    return jax.value_and_grad(total)(D.params)


def _descend(
    optimizer: optax.GradientTransformation,
    network: NetworkState,
    gradient: Weights,
    statistics: Weights,
) -> NetworkState:
    with stateless.standard_promotion():
        updates, memory = optimizer.update(gradient, network.optimizer, network.params)
        params = optax.apply_updates(network.params, updates)
    return NetworkState(params, statistics, memory)


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


def _judgement(
    loss: jax.Array, penalty: jax.Array, logits: tuple[jax.Array, jax.Array], gradient: Weights
) -> Metrics:
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
