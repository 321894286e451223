"""Updates of a network's weights: the one that a step makes, and those that G may look ahead to."""

from __future__ import annotations

import jax
import optax

from ganjax import stateless
from ganjax.gan import GAN
from ganjax.judging import Judge
from ganjax.state import NetworkState
from ganjax.stateless import Weights


def descend(
    optimizer: optax.GradientTransformation,
    network: NetworkState,
    gradient: Weights,
    statistics: Weights,
) -> NetworkState:
    """The network after one update of its optimiser, with these as its next statistics."""
    with stateless.standard_promotion():
        updates, memory = optimizer.update(gradient, network.optimizer, network.params)
        params = optax.apply_updates(network.params, updates)
    return NetworkState(params, statistics, memory)


def look_ahead(gan: GAN, D: NetworkState, judge: Judge, fake: jax.Array) -> Weights:
    """D's weights `gan.unrolling` updates from now on this batch, as a differentiable function of `fake`.

    Metz et al. 2017, section 2.2, https://arxiv.org/abs/1611.02163. The updates are those of D's own
    optimiser, on its loss without penalties.
    """

    def ahead(D: NetworkState, _: None) -> tuple[NetworkState, None]:
        gradient = jax.grad(lambda params: gan.loss.discriminator(*judge(params, fake)[0]))(D.params)
        return descend(gan.discriminator_optimizer, D, gradient, D.statistics), None

    return jax.lax.scan(ahead, D, length=gan.unrolling)[0].params if gan.unrolling else D.params
