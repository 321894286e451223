"""Latent distributions: what a generator draws from, `(key, shape) -> float32 array` of that shape.

A generator with several inputs beside its labels (a latent and noise images, for instance) has a structure of
latents: each array of it is drawn with a key of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ganjax.checks import check_normal


@dataclasses.dataclass(frozen=True)
class Normal:
    """The latent distribution N(mean, scale^2), independent in every coordinate; both finite, scale > 0."""

    mean: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_normal(self.mean, self.scale)

    def __call__(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return self.mean + self.scale * jax.random.normal(key, shape, jnp.float32)


standard_normal = Normal()
Latent = Callable[[jax.Array, tuple[int, ...]], jax.Array]


@dataclasses.dataclass(frozen=True)
class ByName:
    """A distribution for each input of a generator, by the inputs' names: see `by_name`."""

    distributions: tuple[tuple[str, Latent], ...]


def by_name(**distributions: Latent) -> ByName:
    """A distribution for each input of a generator that takes a dict: `by_name(z=Normal(), mix=uniform)`.

    Args:
        distributions: `(key, shape) -> float32 array`, by the name of the input.
    """
    return ByName(tuple(sorted(distributions.items())))


def draw_latents(latent: Latent | ByName, key: jax.Array, wanted: Any) -> Any:
    """Latents of the wanted shapes.

    Args:
        latent: their distribution.
        key: one PRNG key. Each of several arrays has one of its own.
        wanted: a `jax.ShapeDtypeStruct`, or a structure of them.
    """
    if isinstance(latent, ByName):
        keys = jax.random.split(key, len(latent.distributions))
        return {
            name: draw_latents(distribution, each, wanted[name])
            for each, (name, distribution) in zip(keys, latent.distributions, strict=True)
        }
    if isinstance(wanted, jax.ShapeDtypeStruct):
        return latent(key, wanted.shape)
    leaves, structure = jax.tree.flatten(wanted)
    keys = jax.random.split(key, len(leaves))
    drawn = [latent(each, leaf.shape) for each, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, drawn)


@dataclasses.dataclass(frozen=True)
class NormalAndSigns:
    """Standard normal coordinates, and `signs` at the end that are -1 or +1, all of them independent.

    A continuous generator of a connected latent space has a connected image: it must therefore put
    samples between separate modes (Khayatkhoei et al. 2018, section 2, https://arxiv.org/abs/1806.00880). The
    latent space of m signs has 2^m pieces, and the generator learns which piece goes to which mode.

    Attributes:
        signs: how many coordinates of the last axis are signs, >= 0.

    Raises:
        ValueError: `signs` is negative, or (when called) more than the last axis of `shape` holds.
    """

    signs: int

    def __post_init__(self) -> None:
        if self.signs < 0:
            raise ValueError(f"a latent cannot have {self.signs} signs: give 0 or more")

    def __call__(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        if self.signs > shape[-1]:
            raise ValueError(f"a latent of {shape[-1]} coordinates cannot hold {self.signs} signs")
        normal_key, sign_key = jax.random.split(key)
        *batch, size = shape
        normal = jax.random.normal(normal_key, (*batch, size - self.signs), jnp.float32)
        signs = jax.random.rademacher(sign_key, (*batch, self.signs), jnp.float32)
        return jnp.concatenate([normal, signs], axis=-1)
