"""train_step: one training step of a GAN as a pure function, from what is drawn to what is measured.

What a step draws is in draws.py, and how D's passes over a real and a fake batch are joined in
discriminator_pass.py.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import optax

from ganjax import losses, stateless
from ganjax.checks import check_augmented, check_sharding, check_state
from ganjax.discriminator_pass import (
    Both,
    DiscriminatorPass,
    Scores,
    discriminator_pass,
    gradients_of_both,
    two_calls,
)
from ganjax.draws import Draw, Draws, draw, layer_keys, loss_keys
from ganjax.gan import GAN
from ganjax.labelled import Labelled, check_real, count, labelled, split_batches
from ganjax.losses import as_scalar, joined
from ganjax.optimizers import LossScale, has_updated, scaled, unscaled, updates_done
from ganjax.sampling import forward, pack, with_weights
from ganjax.state import AveragedWeights, GANState, NetworkState
from ganjax.stateless import Weights, call_without_state

Metrics = dict[str, jax.Array]
METRICS = (
    "generator_loss", "discriminator_loss", "penalty", "real_logits", "fake_logits", "real_accuracy",
    "fake_accuracy", "generator_gradient_norm", "discriminator_gradient_norm", "finite",
)  # fmt: skip
"""What a step reports, one float32 number each: the two losses, what is added to D's (penalties, and what its
layers add), mean logits, shares of logits on the right side of 0 (`accuracy`), norms of the gradients, and
whether all of these are finite (1, else 0). A loss may report more; with `GAN.generator_penalties` there is
`generator_penalty`, their sum, and with `GAN.loss_scale` there are `loss_scale`, the smaller of the networks'
two, and `skipped_updates`: gradients that overflow are skipped, and no fault until the scale is 1."""


def train_step(gan: GAN, state: GANState, real: Any) -> tuple[GANState, Metrics]:
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
        `(state, metrics)`: metrics are float32 scalars, by the names of `METRICS` and what the GAN adds.

    Raises:
        TypeError, ValueError: while tracing, when `real` is not a batch this GAN can use.
    """
    check_real(real, gan.sample_spec, gan.label_spec, gan.discriminator_updates, gan.packing)
    check_sharding(real)
    batch = count(labelled(real).samples) // gan.discriminator_updates
    return step_with_draws(gan, state, real, draw(gan, state.key, state.step, batch))


# The updates.


def step_with_draws(gan: GAN, state: GANState, real: Any, draws: Draws) -> tuple[GANState, Metrics]:
    """`train_step` with everything random already drawn, for whoever draws for many steps at once."""
    check_state(gan, state)
    before = state
    *early_batches, real = split_batches(labelled(real), gan.discriminator_updates)
    *early_draws, last = draws.discriminator
    for batch, early in zip(early_batches, early_draws, strict=True):
        state, _ = _discriminator_update(gan, state, batch, early)
    if draws.generator is None:
        state, metrics = _simultaneous_update(gan, state, real, last)
    else:
        state, metrics = _alternating_update(gan, state, real, last, draws.generator)
    ema = _averaged(gan, before, state)
    state = dataclasses.replace(state, step=state.step + 1, ema=ema)
    return state, _with_finite(before, state, metrics)


def _simultaneous_update(gan: GAN, state: GANState, real: Labelled, drawn: Draw) -> tuple[GANState, Metrics]:
    """Both gradients at the same point, from one pass of G and one of D over the real and the fake batch."""
    G, D = state.generator, state.discriminator
    seen, make = _augmented(gan, state, real, drawn), _fake_batch(gan, state, real.labels, drawn)
    _, D_key, *_ = layer_keys(drawn)
    D_pass = functools.partial(discriminator_pass(gan, D, seen), key=D_key)
    (made, G_added), pull_made, G_statistics = jax.vjp(make, G.params, has_aux=True)
    (scores, D_added), pull_scores, D_statistics = jax.vjp(D_pass, D.params, made.seen, has_aux=True)
    D_objective, G_objective = _objectives(gan, state, real, seen, drawn)
    (D_loss, D_rows), D_cotangents = jax.value_and_grad(D_objective, (0, 1), has_aux=True)(
        *scores, made.shown
    )
    (G_loss, G_rows), G_cotangents = jax.value_and_grad(G_objective, (1, 2), has_aux=True)(
        *scores, made.shown
    )

    D_cotangents = scaled(D.loss_scale, (D_cotangents, jax.tree.map(jnp.ones_like, D_added)))
    G_cotangent, shown_cotangent = scaled(G.loss_scale, G_cotangents)
    D_gradient, seen_cotangent = gradients_of_both(gan, pull_scores, D_cotangents, G_cotangent)
    added_cotangents = scaled(G.loss_scale, jax.tree.map(jnp.ones_like, G_added))
    (G_gradient,) = pull_made((Made(seen_cotangent, shown_cotangent), added_cotangents))
    D_gradient, G_gradient = unscaled(D.loss_scale, D_gradient), unscaled(G.loss_scale, G_gradient)
    penalty, D_gradient = _with_penalties(gan, state, seen, made.seen, drawn, D_gradient)
    penalty = sum(D_added, penalty)
    G_penalty, G_gradient = _with_generator_penalties(gan, state, real, drawn, G_gradient)

    G_total = sum((*G_added, *G_penalty.values()), G_loss)
    G = _updated(gan, "generator", G, G_gradient, G_statistics, G_total)
    D = _updated(gan, "discriminator", D, D_gradient, D_statistics, D_loss + penalty)
    state = _adapted(gan, dataclasses.replace(state, generator=G, discriminator=D), scores)
    metrics = _discriminator_metrics(D_loss, penalty, scores, D_gradient)
    return state, joined(metrics, _generator_metrics(G_loss, G_gradient), D_rows, G_rows, G_penalty)


def _alternating_update(
    gan: GAN, state: GANState, real: Labelled, drawn: Draw, G_drawn: Draw
) -> tuple[GANState, Metrics]:
    """D's update, and then G's against the new D with a fresh draw."""
    state, D_metrics = _discriminator_update(gan, state, real, drawn)
    D = state.discriminator
    seen, make = _augmented(gan, state, real, G_drawn), _fake_batch(gan, state, real.labels, G_drawn)
    D_objective, G_objective = _objectives(gan, state, real, seen, G_drawn)
    _, D_key, _, unrolled_key, _ = layer_keys(G_drawn)
    # Two calls: most losses of G ignore the real logits, and the compiler then leaves D(real) out.
    D_pass = two_calls(gan, D, seen)

    def loss(params: Weights) -> tuple[Any, Any]:
        (made, added), statistics = make(params)
        D_params = _unrolled_params(gan, D, D_pass, D_objective, made, unrolled_key)
        (scores, _), _ = D_pass(D_params, made.seen, D_key)
        value, rows = G_objective(*scores, made.shown)
        return sum(added, value), (value, rows, statistics)

    total, (G_loss, rows, statistics), gradient = _gradient(state.generator, loss)
    penalty, gradient = _with_generator_penalties(gan, state, real, G_drawn, gradient)
    total = sum(penalty.values(), total)
    G = _updated(gan, "generator", state.generator, gradient, statistics, total)
    metrics = joined(D_metrics, _generator_metrics(G_loss, gradient), rows, penalty)
    return dataclasses.replace(state, generator=G), metrics


def _discriminator_update(gan: GAN, state: GANState, real: Labelled, drawn: Draw) -> tuple[GANState, Metrics]:
    D, seen = state.discriminator, _augmented(gan, state, real, drawn)
    (made, _), _ = _fake_batch(gan, state, real.labels, drawn)(state.generator.params)
    objective, _ = _objectives(gan, state, real, seen, drawn)
    _, D_key, *_ = layer_keys(drawn)

    def loss(params: Weights) -> tuple[jax.Array, Any]:
        (scores, added), statistics = discriminator_pass(gan, D, seen)(params, made.seen, D_key)
        value, rows = objective(*scores, made.shown)
        return sum(added, value), (value, rows, added, scores, statistics)

    _, (D_loss, rows, added, scores, statistics), gradient = _gradient(D, loss)
    penalty, gradient = _with_penalties(gan, state, seen, made.seen, drawn, gradient)
    penalty = sum(added, penalty)
    D = _updated(gan, "discriminator", D, gradient, statistics, D_loss + penalty)
    state = _adapted(gan, dataclasses.replace(state, discriminator=D), scores)
    return state, joined(_discriminator_metrics(D_loss, penalty, scores, gradient), rows)


# What the updates are made of.


class Made(NamedTuple):
    """What G's pass gives: a batch as D sees it, and what the losses ask to see of it, by name."""

    seen: Any
    shown: dict[str, Any]


def _augmented(gan: GAN, state: GANState, real: Labelled, drawn: Draw) -> Labelled:
    """What the discriminator sees of a real batch."""
    return real._replace(samples=_seen(gan, state, real.samples, jax.random.fold_in(drawn.augment_key, 0)))


def _fake_batch(gan: GAN, state: GANState, labels: Any, drawn: Draw) -> Any:
    """params -> ((what is `Made`, what G's layers add to its loss), next statistics)"""
    G_forward = forward(gan, gan.generator, training=True)
    G_key, *_ = layer_keys(drawn)

    def make(params: Weights) -> tuple[tuple[Made, Weights], Weights]:
        fake, after = G_forward(params, state.generator.statistics, drawn.latents, labels, G_key)
        added = [*after.losses, *stateless.regularization(gan.generator, params)]
        seen = _seen(gan, state, fake, jax.random.fold_in(drawn.augment_key, 1))
        shown = {"fake": seen, "fake_unaugmented": fake, "generator_outputs": after.outputs}
        shown = {name: value for name, value in shown.items() if name in gan.losses_ask_for}
        return (Made(seen, shown), added), after.statistics

    return make


def _seen(gan: GAN, state: GANState, x: Any, key: jax.Array) -> Any:
    if gan.augment:
        adapted = () if state.augment is None else (state.augment,)
        augmented = call_without_state(gan.augment, key, x, *adapted, name="augment")
        check_augmented(x, augmented)
        x = augmented
    return pack(x, gan.packing)


def _adapted(gan: GAN, state: GANState, scores: Both) -> GANState:
    """The state with that of an augmentation that follows D's logits of real samples."""
    if state.augment is None:
        return state
    augment: Any = gan.augment
    return dataclasses.replace(state, augment=augment.update(state.augment, scores[0].logits))


def _objectives(gan: GAN, state: GANState, real: Labelled, seen: Labelled, drawn: Draw) -> Any:
    """D's and G's loss, both as functions of (real scores, fake scores, what is shown of G's pass)."""
    offered = {"real": seen.samples, "real_unaugmented": real.samples, "labels": real.labels}
    offered |= {"latents": drawn.latents}

    def objective(function: Any, network: NetworkState, key: Any, order: int) -> Any:
        given = offered | {"key": key, "step": updates_done(network.optimizer, state.step)}

        def value_and_rows(real: Scores, fake: Scores, shown: dict[str, Any]) -> tuple[jax.Array, Metrics]:
            logits = (real.logits, fake.logits)[::order]
            scored = {"real_outputs": real.outputs, "fake_outputs": fake.outputs}
            arguments = given | scored | shown
            return call_without_state(losses.evaluate, function, *logits, name="the loss", **arguments)

        return value_and_rows

    D_key, G_key, _ = loss_keys(drawn)
    of_D = objective(gan.loss.discriminator, state.discriminator, D_key, 1)
    return of_D, objective(gan.loss.generator, state.generator, G_key, -1)


def _gradient(network: NetworkState, loss: Any) -> tuple[jax.Array, Any, Weights]:
    """`(value, aux, gradient)` of `loss`, a function from the network's weights to `(value, aux)`."""

    def objective(params: Weights) -> tuple[jax.Array, Any]:
        value, aux = loss(params)
        return scaled(network.loss_scale, value), (value, aux)

    (_, (value, aux)), gradient = jax.value_and_grad(objective, has_aux=True)(network.params)
    return value, aux, unscaled(network.loss_scale, gradient)


def _with_penalties(
    gan: GAN, state: GANState, real: Labelled, fake: Any, drawn: Draw, gradient: Weights
) -> tuple[jax.Array, Weights]:
    """Sum of D's penalties, and `gradient` with theirs."""
    D = state.discriminator
    _, _, layer_key, *_ = layer_keys(drawn)
    at = with_weights(gan, gan.discriminator, D.statistics, real.labels, layer_key)
    value, more = _summed(gan.penalties, D, state.step, at, (real.samples, fake), drawn.penalty_key)
    return value, jax.tree.map(jnp.add, gradient, more)


def _with_generator_penalties(
    gan: GAN, state: GANState, real: Labelled, drawn: Draw, gradient: Weights
) -> tuple[Metrics, Weights]:
    """Sum of G's penalties, if it has any, and `gradient` with theirs."""
    if not gan.generator_penalties:
        return {}, gradient
    G, (*_, layer_key), (*_, key) = state.generator, layer_keys(drawn), loss_keys(drawn)
    at = with_weights(gan, gan.generator, G.statistics, real.labels, layer_key)
    value, more = _summed(gan.generator_penalties, G, state.step, at, (drawn.latents,), key)
    return {"generator_penalty": value}, jax.tree.map(jnp.add, gradient, more)


def _summed(
    penalties: Any, network: NetworkState, step: jax.Array, at: Any, batches: Any, key: Any
) -> tuple[jax.Array, Weights]:
    step = updates_done(network.optimizer, step)

    def total(params: Weights) -> tuple[jax.Array, None]:
        function, terms = at(params), []
        for i, term in enumerate(penalties):
            given = {"key": jax.random.fold_in(key, i), "step": step}
            value = call_without_state(term, function, *batches, name="a penalty", **given)
            terms.append(as_scalar(value, "a penalty's value"))
        return sum(terms, jnp.zeros((), jnp.float32)), None

    value, _, gradient = _gradient(network, total)
    return value, gradient


def apply_gradients(
    model: keras.Model,
    optimizer: optax.GradientTransformation,
    network: NetworkState,
    gradient: Weights,
    statistics: Weights,
    value: jax.Array,
    loss_scale: LossScale | None = None,
) -> NetworkState:
    """The network after one update of its optimiser and its constraints, with these as its next statistics.

    `value` is what the gradient is of, for optimisers that ask for it. With a `loss_scale` the network stays
    as it is if the gradient is not finite.
    """
    with stateless.standard_promotion():
        update = optax.with_extra_args_support(optimizer).update
        updates, memory = update(gradient, network.optimizer, network.params, value=value, grad=gradient)
        params = optax.apply_updates(network.params, updates)
    after = NetworkState(stateless.constrained(model, params), statistics, memory, network.loss_scale)
    if loss_scale is None:
        return after
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(g)) for g in gradient]))
    after = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, network)
    return dataclasses.replace(after, loss_scale=loss_scale.after(network.loss_scale, finite))


def _updated(gan: GAN, role: str, network: NetworkState, *update: Any) -> NetworkState:
    fixed = getattr(gan, role), getattr(gan, f"{role}_optimizer"), network
    return apply_gradients(*fixed, *update, loss_scale=gan.loss_scale)


def _unrolled_params(
    gan: GAN, D: NetworkState, D_pass: DiscriminatorPass, objective: Any, made: Made, key: jax.Array | None
) -> Weights:
    """D's weights after `gan.unrolling` more updates on this batch, as a differentiable function of `made`.

    Metz et al. 2017, section 2.2, https://arxiv.org/abs/1611.02163. The updates are those of D's own
    optimiser, on its loss without penalties.
    """

    def update(D: NetworkState, key: jax.Array | None) -> tuple[NetworkState, None]:
        def loss(params: Weights) -> tuple[jax.Array, None]:
            (scores, added), _ = D_pass(params, made.seen, key)
            return sum(added, objective(*scores, made.shown)[0]), None

        value, _, gradient = _gradient(D, loss)
        return _updated(gan, "discriminator", D, gradient, D.statistics, value), None

    if not gan.unrolling:
        return D.params
    keys = None if key is None else jax.random.split(key, gan.unrolling)
    return jax.lax.scan(update, D, keys, length=gan.unrolling)[0].params


def _averaged(gan: GAN, before: GANState, after: GANState) -> AveragedWeights:
    """The generator's exponential moving average after this step, its decay as `GAN.ema_decay` says."""
    ema, G = before.ema, after.generator
    t = updates_done(before.generator.optimizer, before.step).astype(jnp.float32)
    decay = jnp.minimum(gan.ema_decay, (1 + t) / (10 + t)) if gan.ema_warmup else gan.ema_decay
    updated = has_updated(before.generator.optimizer, G.optimizer)

    def average(old: jax.Array, new: jax.Array) -> jax.Array:
        if not jnp.issubdtype(new.dtype, jnp.floating):
            return new  # a dropout seed has no mean
        averaged = (decay * old + (1 - decay) * new).astype(new.dtype)
        return averaged if updated is True else jnp.where(updated, averaged, old)

    return AveragedWeights(
        jax.tree.map(average, ema.params, G.params),
        jax.tree.map(average, ema.statistics, G.statistics),
    )


# What is measured.


def _discriminator_metrics(loss: jax.Array, penalty: jax.Array, scores: Both, gradient: Weights) -> Metrics:
    real_logits, fake_logits = (each.logits for each in scores)
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


def _with_finite(before: GANState, after: GANState, metrics: Metrics) -> Metrics:
    values = metrics
    if after.generator.loss_scale is not None:
        G, G_after = before.generator.loss_scale, after.generator.loss_scale
        D, D_after = before.discriminator.loss_scale, after.discriminator.loss_scale
        skipped = G_after.skipped - G.skipped + D_after.skipped - D.skipped
        metrics |= {"loss_scale": jnp.minimum(G_after.scale, D_after.scale)}
        metrics |= {"skipped_updates": skipped.astype(jnp.float32)}
        # A gradient that overflowed is no fault as long as a smaller scale can help.
        helps = (skipped > 0) & (jnp.minimum(G.scale, D.scale) > 1)
        values = {name: jnp.where(helps & name.endswith("_norm"), 0.0, x) for name, x in metrics.items()}
    finite = jnp.all(jnp.isfinite(jnp.stack(list(values.values()))))
    return metrics | {"finite": finite.astype(jnp.float32)}
