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
from collections.abc import Callable

import jax
import jax.numpy as jnp

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


def _one_per_image(images: jax.Array) -> tuple[int, int, int, int]:
    return (images.shape[0], 1, 1, 1)


def _axes(key: jax.Array, images: jax.Array) -> list[tuple[jax.Array, int]]:
    """A key and the size of the height, and of the width."""
    return list(zip(jax.random.split(key), images.shape[1:3], strict=True))


def _integers(key: jax.Array, n: int, ratio: float, size: int) -> jax.Array:
    return jax.random.randint(key, (n,), 0, 2 * round(size * ratio) + 1)
