"""The discriminator's part in a step: its logits of a real and a generated batch, and what flows back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ganjax.gan import GAN
from ganjax.labelled import Labelled
from ganjax.samplewise import is_dense, is_samplewise
from ganjax.sampling import forward
from ganjax.state import NetworkState
from ganjax.stateless import Weights

Logits = tuple[jax.Array, jax.Array]
Judge = Callable[[Weights, jax.Array], tuple[Logits, Weights]]

_LEAST = 2.0**-64


def judge_in_two_passes(gan: GAN, D: NetworkState, real: Labelled) -> Judge:
    """`(params, fake) -> ((real logits, fake logits), next statistics)`: D(real), then D(fake)."""
    D_forward = forward(gan, gan.discriminator, training=True)

    def judge(params: Weights, fake: jax.Array) -> tuple[Logits, Weights]:
        real_logits, statistics = D_forward(params, D.statistics, real.samples, real.labels)
        fake_logits, statistics = D_forward(params, statistics, fake, real.labels)
        return (real_logits, fake_logits), statistics

    return judge


def judge_in_one_pass(gan: GAN, D: NetworkState, real: Labelled) -> Judge:
    """The same from one call on both batches joined: for a discriminator that is samplewise."""
    D_forward = forward(gan, gan.discriminator, training=True)

    def judge(params: Weights, fake: jax.Array) -> tuple[Logits, Weights]:
        n = len(real.samples)
        joined = jax.tree.map(lambda *x: jnp.concatenate(x), real, real._replace(samples=fake))
        logits, statistics = D_forward(params, D.statistics, *joined)
        return (logits[:n], logits[n:]), statistics

    return judge


def judge(gan: GAN, D: NetworkState, real: Labelled) -> Judge:
    """The faster of the two that are right for this discriminator.

    One pass halves the operations of a small network, where their number is the cost (a step of the 3x16 ring
    pair: 31 microseconds for 38, 2 cores with AVX-512). Over images the joined batch is a copy more, and its
    pullback would reach the real images too, which nobody needs.
    """
    one = is_samplewise(gan.discriminator) and is_dense(gan.discriminator)
    return (judge_in_one_pass if one else judge_in_two_passes)(gan, D, real)


def pull_in_two(pull_logits: Any, D_cotangents: Logits, G_cotangent: jax.Array) -> tuple[Weights, jax.Array]:
    """D's gradient of its own loss, and the gradient of G's loss with respect to the generated batch.

    Args:
        pull_logits: the pullback of a `Judge`.
        D_cotangents: derivatives of D's loss by the real and by the fake logits.
        G_cotangent: derivative of G's loss by the fake logits.
    """
    D_gradient, _ = pull_logits(D_cotangents)
    _, fake_cotangent = pull_logits((jnp.zeros_like(D_cotangents[0]), G_cotangent))
    return D_gradient, fake_cotangent


def pull_in_one(pull_logits: Any, D_cotangents: Logits, G_cotangent: jax.Array) -> tuple[Weights, jax.Array]:
    """The same from one pullback: for a samplewise discriminator with one logit f_i for each sample x_i.

    What flows back to x_i is c_i df_i/dx_i, linear in the cotangent c_i of its own logit. So G's is D's times
    g_i / c_i. Where D's cotangent vanishes beside G's (a sample D is sure of), it is first raised to
    2^-64 |g_i|: no larger a change of D's gradient than 2^-40 of the rounding of a sample's share in it.
    """
    real_cotangent, c = D_cotangents
    g = G_cotangent
    least = _LEAST * jnp.abs(g)
    c = jnp.where(jnp.abs(c) < least, least, c)
    D_gradient, fake_cotangent = pull_logits((real_cotangent, c))
    ratio = jnp.where(g == 0, 0.0, g / jnp.where(c == 0, 1.0, c))
    return D_gradient, fake_cotangent * ratio.reshape(-1, *[1] * (fake_cotangent.ndim - 1))


def pull(
    gan: GAN, pull_logits: Any, D_cotangents: Logits, G_cotangent: jax.Array
) -> tuple[Weights, jax.Array]:
    """The faster of the two that are right for this discriminator."""
    D = gan.discriminator
    one_logit = G_cotangent.size == len(G_cotangent)
    wide = all(layer.compute_dtype != "float16" for layer in D._flatten_layers())  # 2^-64 is 0 in float16
    one = one_logit and wide and is_samplewise(D)
    return (pull_in_one if one else pull_in_two)(pull_logits, D_cotangents, G_cotangent)
