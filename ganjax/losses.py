r"""Objectives of generator and discriminator: pairs of pure functions on logits.

D's output is a logit $l$, and $\mathrm{sigmoid}(l)$ the probability it gives to "real". Every function takes
float arrays of logits of any shape (one per image or a patch of them), returns the float32 mean over all of
them, and is finite, with finite gradients, wherever the mathematics is: logits of 1e4 are safe.

Below $r = D(x)$ for real $x$, $f = D(G(z))$, and
$\mathrm{softplus}(l) = \log(1 + \exp(l)) = -\log \mathrm{sigmoid}(-l)$.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import relu, softplus


class Loss(NamedTuple):
    """What each of the two networks minimises.

    Attributes:
        discriminator: `(real_logits, fake_logits) -> scalar`.
        generator: `(fake_logits, real_logits) -> scalar`; most ignore `real_logits`.
    """

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]
    generator: Callable[[jax.Array, jax.Array], jax.Array]


def discriminator_loss(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    r"""Binary cross-entropy of real against 1 and fake against 0, the two halves averaged.

    $$\tfrac12 E[\mathrm{softplus}(-r)] + \tfrac12 E[\mathrm{softplus}(f)]$$

    It is $\log 2$ where every logit is 0. Goodfellow et al. 2014, eq. 1.
    """
    return (jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits))) / 2


def generator_loss(fake_logits: jax.Array, real_logits: jax.Array | None = None) -> jax.Array:
    r"""Binary cross-entropy of fake against 1: the non-saturating loss.

    $$E[\mathrm{softplus}(-f)]$$

    Goodfellow et al. 2014, section 3.
    """
    return jnp.mean(softplus(-fake_logits))


def _minimax_generator(fake_logits: jax.Array, real_logits: jax.Array | None = None) -> jax.Array:
    return -jnp.mean(softplus(fake_logits))


def _zero_sum_generator(fake_logits: jax.Array, real_logits: jax.Array) -> jax.Array:
    return -discriminator_loss(real_logits, fake_logits)


def _least_squares_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    return (jnp.mean((real_logits - 1) ** 2) + jnp.mean(fake_logits**2)) / 2


def _least_squares_generator(fake_logits: jax.Array, real_logits: jax.Array | None = None) -> jax.Array:
    return jnp.mean((fake_logits - 1) ** 2) / 2


def _hinge_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    return jnp.mean(relu(1 - real_logits)) + jnp.mean(relu(1 + fake_logits))


def _wasserstein_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    return jnp.mean(fake_logits) - jnp.mean(real_logits)


def _linear_generator(fake_logits: jax.Array, real_logits: jax.Array | None = None) -> jax.Array:
    return -jnp.mean(fake_logits)


def _relativistic_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    return jnp.mean(softplus(fake_logits - real_logits))


def _relativistic_generator(fake_logits: jax.Array, real_logits: jax.Array) -> jax.Array:
    return jnp.mean(softplus(real_logits - fake_logits))


binary_cross_entropy = Loss(discriminator_loss, generator_loss)
"""Non-saturating GAN: the pair above (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661)."""

minimax = Loss(discriminator_loss, _minimax_generator)
r"""Saturating GAN. D as above, G minimises $E[\log(1 - \mathrm{sigmoid}(f))] = -E[\mathrm{softplus}(f)]$
(Goodfellow et al. 2014, eq. 1, https://arxiv.org/abs/1406.2661)."""

zero_sum = Loss(discriminator_loss, _zero_sum_generator)
r"""D as above, and G the negative of all of it: beside `minimax`, $E[\mathrm{softplus}(-r)]$ matters where D
is unrolled (Metz et al. 2017, eq. 1, https://arxiv.org/abs/1611.02163)."""

least_squares = Loss(_least_squares_discriminator, _least_squares_generator)
r"""LSGAN. D: $\tfrac12 E[(r - 1)^2] + \tfrac12 E[f^2]$, G: $\tfrac12 E[(f - 1)^2]$
(Mao et al. 2017, eq. 9, https://arxiv.org/abs/1611.04076)."""

hinge = Loss(_hinge_discriminator, _linear_generator)
r"""Hinge. D: $E[\max(0, 1 - r)] + E[\max(0, 1 + f)]$, G: $-E[f]$
(Lim and Ye 2017, https://arxiv.org/abs/1705.02894; Miyato et al. 2018, eqs. 16, 17)."""

wasserstein = Loss(_wasserstein_discriminator, _linear_generator)
"""Wasserstein. D: $E[f] - E[r]$, G: $-E[f]$; D must be kept Lipschitz, by `WGANGP` for instance
(Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875)."""

relativistic_pairing = Loss(_relativistic_discriminator, _relativistic_generator)
r"""RpGAN. D: $E[\mathrm{softplus}(-(r - f))]$, G: $E[\mathrm{softplus}(-(f - r))]$, real and fake paired
one to one (Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734; Huang et al. 2024, eq. 2)."""
