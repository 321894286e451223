"""Augmentations of pictures: pure functions `(key, images) -> images`, differentiable by the images.

DiffAugment (Zhao et al. 2020, section 3, https://arxiv.org/abs/2006.10738): whatever the discriminator sees,
real or generated, is augmented at random first, and the generator's gradient passes back through the
augmentation. So a discriminator cannot memorise a small data set, and a generator does not learn to produce
augmented pictures.

Images are `(batch, height, width, channels)` float32 in [-1, 1]; every image of a batch gets its own
random numbers, which depend on `key` alone. Colours may leave [-1, 1]: D sees them so; clip them for display.
"""

from __future__ import annotations

import dataclasses
import random
from collections import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
from jax.extend import core

from ganjax import stateless
from ganjax.stateless.rebuilding import first_sentence

Augmentation = Callable[[jax.Array, jax.Array], jax.Array]


def horizontal_flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Each image mirrored left to right with probability 1/2."""
    mirrored = jax.random.bernoulli(key, shape=_one_per_image(images))
    return jnp.where(mirrored, images[:, :, ::-1], images)


def color(key: jax.Array, images: jax.Array) -> jax.Array:
    """Brightness, then saturation, then contrast, as in DiffAugment.

    Brightness adds b ~ U(-1/2, 1/2) to every value. Saturation multiplies each pixel's distance from the
    mean of its channels by s ~ U(0, 2); contrast each value's distance from the mean of its image by
    c ~ U(1/2, 3/2). (The paper's code has the same ranges, for values in [-1, 1].)
    """
    b, s, c = jax.random.uniform(key, (3, *_one_per_image(images)), images.dtype)
    images = images + (b - 0.5)
    gray = jnp.mean(images, axis=3, keepdims=True)
    images = gray + 2 * s * (images - gray)
    mean = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (0.5 + c) * (images - mean)


def translation(key: jax.Array, images: jax.Array, *, ratio: float = 0.125) -> jax.Array:
    """Each image shifted by whole pixels, up to `ratio` of its size each way on each axis, padded with 0."""
    shifts = jnp.stack([_integers(k, images.shape[0], ratio, n) for k, n in _axes(key, images)], axis=1)
    reach = [round(n * ratio) for n in images.shape[1:3]]
    padded = jnp.pad(images, ((0, 0), *((r, r) for r in reach), (0, 0)))

    def window(picture: jax.Array, shift: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(picture, (*shift, 0), images.shape[1:])

    return jax.vmap(window)(padded, shifts)


def cutout(key: jax.Array, images: jax.Array, *, ratio: float = 0.5) -> jax.Array:
    """In each image a rectangle of `ratio` of its height and width becomes 0; its centre is anywhere."""
    inside = True
    for axis, (k, n) in enumerate(_axes(key, images), start=1):
        side = round(n * ratio)
        first = jax.random.randint(k, (images.shape[0], 1), 0, n + (1 - side % 2)) - side // 2
        place = jnp.arange(n)[None, :]
        within = (place >= first) & (place < first + side)
        inside = inside & jnp.expand_dims(within, (3 - axis, 3))
    return jnp.where(inside, 0.0, images)


@dataclasses.dataclass(frozen=True)
class Sequence:
    """Augmentations one after another, each with its own key; hashable, as a `GAN` must be.

    Attributes:
        parts: the augmentations, in order.
    """

    parts: tuple[Augmentation, ...]

    def __call__(self, key: jax.Array, images: jax.Array) -> jax.Array:
        for i, part in enumerate(self.parts):
            images = part(jax.random.fold_in(key, i), images)
        return images


diff_augment = Sequence((color, translation, cutout))
"""DiffAugment's own policy, "color,translation,cutout"."""

AUGMENTATIONS: dict[str, Augmentation] = {
    "flip": horizontal_flip,
    "color": color,
    "translation": translation,
    "cutout": cutout,
}
"""By the names used on the command line."""


# Keras's layers.


@dataclasses.dataclass(frozen=True)
class KerasLayers:
    """Keras layers as an augmentation; made by `from_keras`.

    Attributes:
        layers: called one after another with `training=True`, their seeds drawn from the key.
    """

    layers: tuple[keras.Layer, ...]

    def __call__(self, key: jax.Array, images: jax.Array) -> jax.Array:
        return stateless.call_layers(self.layers, key, images).astype(images.dtype)


def from_keras(layers: keras.Layer | abc.Sequence[keras.Layer]) -> KerasLayers:
    """Random Keras layers, such as `keras.layers.RandomFlip`, as an augmentation.

    At every call the seeds of the layers follow from the key. The seeds that the layers hold are neither used
    nor changed. Layers of colours must be told the range of pixels: `value_range=(-1, 1)`.

    Args:
        layers: a layer or model without weights, or several, in order. Nearly all random layers of Keras
            will do, but not RandomCrop, which JAX cannot compile, nor RandomPosterization and Equalization,
            whose derivative is 0.

    Raises:
        TypeError: a part is no Keras layer.
        ValueError: a layer has weights, cannot be compiled, draws from Python's random numbers, or has no
            derivative by the images.
    """
    parts = tuple(_flat(layers))
    for layer in parts:
        _check_layer(layer)
    return KerasLayers(parts)


def _flat(layers: Any) -> list[keras.Layer]:
    if isinstance(layers, keras.Sequential):
        return _flat(layers.layers)
    if isinstance(layers, (list, tuple)):
        return [each for part in layers for each in _flat(part)]
    if not isinstance(layers, keras.Layer):
        raise TypeError(f"from_keras takes Keras layers, got {layers!r}")
    return [layers]


def _check_layer(layer: keras.Layer) -> None:
    """Raise ValueError unless a compiled step can use the layer, which is traced for some small images."""
    shape = getattr(layer, "input_shape", None) if isinstance(layer, keras.Model) else None
    images = jax.ShapeDtypeStruct((2, *shape[1:]) if shape else (2, 32, 32, 3), jnp.float32)

    def derivative(key: jax.Array, x: jax.Array, tangent: jax.Array) -> jax.Array:
        return jax.jvp(lambda x: stateless.call_layers([layer], key, x), (x,), (tangent,))[1]

    before = random.getstate()
    try:
        program = jax.make_jaxpr(derivative)(jax.random.key(0), images, images).jaxpr
    except Exception as error:
        problem = f"cannot be compiled by JAX ({first_sentence(error)})"
    else:
        reached = {program.invars[2]}
        for equation in program.eqns:
            if any(isinstance(atom, core.Var) and atom in reached for atom in equation.invars):
                reached.update(equation.outvars)
        if layer.weights:
            problem = "has weights, which a step would neither train nor keep"
        elif random.getstate() != before:
            problem = "draws from Python's random numbers, which a compiled step would freeze"
        elif program.outvars[0] not in reached:
            problem = "has no derivative by the images, so that no generator could learn"
        else:
            return
    raise ValueError(f"the layer {layer.name!r} ({type(layer).__name__}) {problem}: leave it out")


# Adaptive augmentation.


class AdaptiveState(NamedTuple):
    """The state of `Adaptive`.

    Attributes:
        p: float32 scalar, the probability of each augmentation.
        signs: float32 scalar, the sum of the mean signs of D's logits of real images since p was last moved.
        count: int32 scalar, how many they are.
    """

    p: jax.Array
    signs: jax.Array
    count: jax.Array


@dataclasses.dataclass(frozen=True)
class Adaptive:
    r"""Adaptive discriminator augmentation: as much of it as keeps D from being too sure of real images.

    Each image passes through each augmentation with probability p. After every `interval` updates of D

    $$r_t = E[\operatorname{sign}(D(x_{\text{real}}))], \quad
    p \leftarrow p \pm \text{batch} \cdot \text{interval} / \text{images}$$

    up if $r_t$ is above `target` and down if it is below, within [0, 1]. p starts at 0 and is a part of
    `GANState`.

    Karras et al. 2020, section 3.1, https://arxiv.org/abs/2006.06676.

    Attributes:
        augmentation: one augmentation, a `Sequence`, or a tuple of them; each part is chosen by itself.
        target: of $r_t$, a number in (-1, 1).
        images: real images in which p could rise from 0 to 1.
        interval: updates of D between two changes of p.

    Raises:
        ValueError, TypeError: a field is out of its range.
    """

    augmentation: Augmentation | tuple[Augmentation, ...]
    target: float = 0.6
    images: int = 500_000
    interval: int = 4

    def __post_init__(self) -> None:
        if isinstance(self.augmentation, list):
            object.__setattr__(self, "augmentation", tuple(self.augmentation))
        if not self.parts or not all(map(callable, self.parts)):
            raise TypeError(
                f"augmentation must be functions (key, images) -> images, got {self.augmentation!r}"
            )
        if not -1 < self.target < 1:
            raise ValueError(f"target must be a number in (-1, 1), got {self.target!r}")
        for name in ("images", "interval"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {getattr(self, name)!r}")

    @property
    def parts(self) -> tuple[Augmentation, ...]:
        """The augmentations, in order."""
        given = self.augmentation
        if isinstance(given, Sequence):
            return given.parts
        return given if isinstance(given, tuple) else (given,)

    def init(self) -> AdaptiveState:
        """The state before the first step: p = 0."""
        return AdaptiveState(jnp.zeros((), jnp.float32), jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32))

    def __call__(self, key: jax.Array, images: jax.Array, state: AdaptiveState) -> jax.Array:
        """The images, each augmented by each part with probability `state.p`."""
        for i, part in enumerate(self.parts):
            choice, own = jax.random.split(jax.random.fold_in(key, i))
            chosen = jax.random.bernoulli(choice, state.p, (jax.tree.leaves(images)[0].shape[0],))

            def some(new: jax.Array, old: jax.Array, chosen: jax.Array = chosen) -> jax.Array:
                return jnp.where(chosen[(..., *[None] * (old.ndim - 1))], new, old)

            images = jax.tree.map(some, part(own, images), images)
        return images

    def update(self, state: AdaptiveState, real_logits: jax.Array) -> AdaptiveState:
        """The state after an update of D, which gave real images these logits, `(batch, ...)`."""
        # Not jnp.sign, which would keep a NaN in p for ever.
        sign = (real_logits > 0).astype(jnp.float32) - (real_logits < 0).astype(jnp.float32)
        signs, count = state.signs + jnp.mean(sign), state.count + 1
        batch = jnp.asarray(real_logits.shape[0]).astype(jnp.float32)
        change = jnp.sign(signs / self.interval - self.target) * batch * (self.interval / self.images)
        due = count >= self.interval
        return AdaptiveState(
            jnp.where(due, jnp.clip(state.p + change, 0.0, 1.0), state.p),
            jnp.where(due, 0.0, signs),
            jnp.where(due, 0, count),
        )


def _one_per_image(images: jax.Array) -> tuple[int, int, int, int]:
    return (images.shape[0], 1, 1, 1)


def _axes(key: jax.Array, images: jax.Array) -> list[tuple[jax.Array, int]]:
    """A key and the size of the height, and of the width."""
    return list(zip(jax.random.split(key), images.shape[1:3], strict=True))


def _integers(key: jax.Array, n: int, ratio: float, size: int) -> jax.Array:
    return jax.random.randint(key, (n,), 0, 2 * round(size * ratio) + 1)
