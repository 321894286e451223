"""Gradient penalties: terms added to the discriminator's loss, or to the generator's.

A penalty of the discriminator (`GAN.penalties`) is called as `penalty(discriminator, real, fake, key=key,
step=step)`, where `discriminator` maps `(batch, *sample_shape)` to logits, and gives a float32 scalar. Where
D gives several logits per sample (a patch), their sum is differentiated. Samples may be structures of arrays.
Networks with BatchNormalization mix the samples of a batch, so there the "gradient per sample" is that of the
batch's sum. A penalty of the generator (`GAN.generator_penalties`) is a `GeneratorPenalty`.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.core import Tracer

Discriminator = Callable[[Any], jax.Array]
Weight = float | Callable[[jax.Array], jax.Array]


class Penalty(Protocol):
    """Any hashable callable of this signature is a penalty."""

    def __call__(
        self,
        discriminator: Discriminator,
        real: Any,
        fake: Any,
        *,
        key: jax.Array,
        step: jax.Array,
    ) -> jax.Array: ...


class GeneratorPenalty(Protocol):
    """A term of the generator's loss: any hashable callable of this signature.

    `generator` maps latents `(batch, *latent_shape)` to samples, with the batch's labels where there are any.
    """

    def __call__(
        self, generator: Callable[[Any], Any], latents: Any, *, key: jax.Array, step: jax.Array
    ) -> jax.Array: ...


@dataclasses.dataclass(frozen=True)
class R1:
    r"""R1: the discriminator's squared gradient at real samples.

    $$\frac{\gamma}{2} \, E_{x \sim \text{real}} \, \lVert \nabla_x D(x) \rVert^2$$

    Mescheder et al. 2018, eq. 9, https://arxiv.org/abs/1801.04406.

    Attributes:
        weight: $\gamma$: a number >= 0, or an optax schedule (a function of the step).

    Raises:
        ValueError: the weight is neither.
    """

    weight: Weight = 10.0

    def __post_init__(self) -> None:
        _check_weight(self.weight)

    def __call__(self, discriminator, real, fake, *, key, step):
        return _at(self.weight, step) / 2 * jnp.mean(squared_gradient(discriminator, real))


@dataclasses.dataclass(frozen=True)
class R2:
    r"""R2: the discriminator's squared gradient at generated samples.

    $$\frac{\gamma}{2} \, E_{x \sim \text{fake}} \, \lVert \nabla_x D(x) \rVert^2$$

    Mescheder et al. 2018, eq. 10, https://arxiv.org/abs/1801.04406.

    Attributes:
        weight: $\gamma$: a number >= 0, or an optax schedule (a function of the step).

    Raises:
        ValueError: the weight is neither.
    """

    weight: Weight = 10.0

    def __post_init__(self) -> None:
        _check_weight(self.weight)

    def __call__(self, discriminator, real, fake, *, key, step):
        return _at(self.weight, step) / 2 * jnp.mean(squared_gradient(discriminator, fake))


@dataclasses.dataclass(frozen=True)
class WGANGP:
    r"""WGAN-GP: the discriminator's gradient between real and generated samples has length 1.

    $$\lambda \, E \left[ (\lVert \nabla_x D(x) \rVert - 1)^2 \right], \quad
    x = u \, x_{\text{real}} + (1 - u) \, x_{\text{fake}}, \quad u \sim U(0, 1) \text{ for each sample}$$

    Gulrajani et al. 2017, eq. 3, https://arxiv.org/abs/1704.00028.

    Attributes:
        weight: $\lambda$: a number >= 0, or an optax schedule (a function of the step).

    Raises:
        ValueError: the weight is neither.
    """

    weight: Weight = 10.0

    def __post_init__(self) -> None:
        _check_weight(self.weight)

    def __call__(self, discriminator, real, fake, *, key, step):
        def between(real: jax.Array, fake: jax.Array) -> jax.Array:
            u = jax.random.uniform(key, (real.shape[0],) + (1,) * (real.ndim - 1), real.dtype)
            return u * real + (1 - u) * fake

        square = squared_gradient(discriminator, jax.tree.map(between, real, fake))
        # The square root has no derivative at 0, where a freshly zeroed D would make it NaN.
        norm = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
        return _at(self.weight, step) * jnp.mean((norm - 1) ** 2)


def squared_gradient(discriminator: Discriminator, x: Any) -> jax.Array:
    r"""$\lVert \nabla_x D(x) \rVert^2$ for every sample: `(batch, *sample_shape) -> (batch,)` float32."""
    gradient = jax.grad(lambda x: jnp.sum(discriminator(x)))(x)
    first, *more = [
        jnp.sum(g.astype(jnp.float32) ** 2, axis=range(1, g.ndim)) for g in jax.tree.leaves(gradient)
    ]
    return sum(more, first)


def _check_weight(weight: Weight) -> None:
    if isinstance(weight, Tracer) and weight.shape == ():
        return  # a hyperparameter within `jit` or `vmap`, which has no value yet
    if not callable(weight) and not (isinstance(weight, numbers.Real) and 0 <= weight < math.inf):
        raise ValueError(f"a penalty's weight must be a number >= 0 or a schedule, got {weight!r}")


def _at(weight: Weight, step: jax.Array) -> jax.Array:
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules mix integers and floats
        return jnp.asarray(weight(step) if callable(weight) else weight, jnp.float32)
