"""Sliced Wasserstein distance: between points as they are, or between patches of pictures, scale by scale."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from ganjax.metrics.inputs import as_feature_pair, as_pictures, check_number, generator

_SMALLEST = 16  # the coarsest level, in pixels
_PATCH = 7
_KERNEL = np.array([1, 4, 6, 4, 1], np.float32) / 16
# Below what float32 resolves in a pixel of [-1, 1]: a band that holds no more than this holds nothing, and
# is not blown up to unit variance.
_NOTHING = 1e-6
_PICTURES, _DIRECTIONS = 256, 64  # at a time, for the sake of memory
_NUMBERS = 2**24  # likewise: 64 MB of each set


def sliced_wasserstein_1(x: ArrayLike, y: ArrayLike, *, key: jax.Array, projections: int = 256) -> float:
    """Sliced Wasserstein-1 distance between points: the mean over directions of W1 along them.

    Bonneel et al. 2015, definition 1 with p = 1, https://doi.org/10.1007/s10851-014-0506-3; for n points each
    W1 is the mean distance between the sorted projections. In the data's unit of length, at most the distance
    that points move; positive even between two sets of the same distribution, and the more so the fewer
    points: compare at one n, beside real points. Symmetric.

    Args:
        x: `(n, d)` floats.
        y: the same shape.
        key: PRNG key that draws the directions, uniform on the sphere.
        projections: how many directions.

    Raises:
        ValueError: other types or shapes, sets of different shapes, NaN or infinity, no projections.

    Cost: 2 * projections * n * (d multiplications and a place in a sort), in float32; 128 MB at most besides
    the points: 2 500 take a tenth of a second, a million under a minute.
    """
    first, second = as_feature_pair(("x", "y"), x, y, at_least=1)
    if len(first) != len(second):
        raise ValueError(
            f"x and y must hold as many points, got {len(first)} and {len(second)}: "
            "leave out what the longer set has more"
        )
    check_number("projections", projections, 1, 100_000, "random directions")
    directions = generator(key).standard_normal((projections, first.shape[1]), np.float32)
    middle = first.mean(axis=0)  # about which float32 is precise

    def along(points: np.ndarray) -> Projected:
        columns = (points - middle).astype(np.float32).T
        return lambda directions: directions @ columns

    return _distance(along(first), along(second), directions, _NUMBERS // len(first))


def sliced_wasserstein(
    real_images: ArrayLike,
    fake_images: ArrayLike,
    *,
    key: jax.Array,
    patches: int = 64,
    projections: int = 256,
) -> dict[int, float]:
    """Sliced Wasserstein distance at every level of a Laplacian pyramid, finest first.

    Karras et al. 2018 (Progressive GAN), section 5, https://arxiv.org/abs/1710.10196: 7x7 patches at random
    places of each level, each channel brought to mean 0 and variance 1 (in each set by itself, so one shift
    of all colours is not seen), projected on random directions, and there the mean distance between the
    sorted values. The finest level holds edges and noise, the coarsest, 16 pixels, shapes and colours.
    Nothing but patches is compared: not where they are, nor whether a picture is repeated.

    Positive even between two sets of the same distribution, and the more so the fewer pictures: compare at
    one n, beside held-out real pictures. Symmetric. The paper's tables are 1 000 times this, with 16 384
    pictures, 128 patches of each and 512 projections.

    Args:
        real_images: `(n, size, size, 3)`, uint8 or floats in [-1, 1]; size a power of two, at least 16.
        fake_images: the same shape.
        key: PRNG key that draws places, the same in both sets, and directions.
        patches: of each picture at each level.
        projections: at each level.

    Returns:
        size of the level in pixels -> distance.

    Raises:
        ValueError: other types or shapes, sets of different shapes, NaN or infinity, counts below 1.

    Cost: 2 * levels * n * patches * projections * (147 multiplications and a place in a sort); memory: two
    sets of patches of one level, n * patches * 1 176 bytes.
    """
    real = as_pictures("real_images", real_images, _SMALLEST)
    fake = as_pictures("fake_images", fake_images, _SMALLEST)
    if real.shape != fake.shape:
        raise ValueError(
            f"real_images and fake_images must have one shape, got {real.shape} and {fake.shape}: "
            "leave out what the longer set has more"
        )
    check_number("patches", patches, 1, 10_000, "of each picture")
    check_number("projections", projections, 1, 100_000, "random directions")
    size = real.shape[1]
    levels = (size // _SMALLEST).bit_length()
    distances = {}
    random = generator(key)
    for level in range(levels):
        here, last = size >> level, level == levels - 1
        places = random.integers(here - _PATCH + 1, size=(2, len(real), patches))
        directions = random.standard_normal((projections, 3, _PATCH, _PATCH), np.float32)
        distances[here] = _distance(
            partial(_along, _describe(real, level, last, places)),
            partial(_along, _describe(fake, level, last, places)),
            directions,
            _DIRECTIONS,
        )
    return distances


class _Described(NamedTuple):
    """Patches `(patches, 3, 7, 7)` of one level, and each channel's mean and scale, `(3,)`."""

    patches: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def _describe(images: np.ndarray, level: int, last: bool, places: np.ndarray) -> _Described:
    per_image = places.shape[2]
    patches = np.empty((len(images), per_image, 3, _PATCH, _PATCH), np.float32)
    total, squares = np.zeros(3), np.zeros(3)
    for start in range(0, len(images), _PICTURES):
        block = slice(start, start + _PICTURES)
        band = _band(_floats(images[block]), level, last)
        windows = np.lib.stride_tricks.sliding_window_view(band, (_PATCH, _PATCH), axis=(1, 2))
        picture = np.arange(len(band))[:, None]
        patches[block] = windows[picture, places[0, block], places[1, block]]
        exact = patches[block].astype(np.float64)
        total += exact.sum(axis=(0, 1, 3, 4))
        squares += np.square(exact, out=exact).sum(axis=(0, 1, 3, 4))
    count = patches.size // 3
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    scale = np.where(deviation > _NOTHING, 1 / np.maximum(deviation, _NOTHING), 0.0)
    return _Described(patches.reshape(-1, 3, _PATCH, _PATCH), mean, scale)


Projected = Callable[[np.ndarray], np.ndarray]  # from unit directions to the values along each, a row each


def _distance(a: Projected, b: Projected, directions: np.ndarray, at_once: int) -> float:
    """Mean over directions, of any length, of the Wasserstein-1 distance along them."""
    total = 0.0
    for start in range(0, len(directions), max(at_once, 1)):
        chunk = directions[start : start + max(at_once, 1)]
        axes = tuple(range(1, chunk.ndim))
        chunk = chunk / np.sqrt(np.square(chunk).sum(axis=axes, keepdims=True))
        difference = _sorted(a(chunk))
        difference -= _sorted(b(chunk))
        total += np.abs(difference, out=difference).mean(axis=1, dtype=np.float64).sum()
    return float(total / len(directions))


def _sorted(values: np.ndarray) -> np.ndarray:
    values.sort(axis=1)
    return values


def _along(described: _Described, directions: np.ndarray) -> np.ndarray:
    """Normalised patches along each of the directions: `(directions, patches)`."""
    # Directions are stretched in place of patches, of which there are many more.
    stretched = directions * described.scale.astype(np.float32)[:, None, None]
    shift = (stretched.sum(axis=(2, 3)) * described.mean).sum(axis=1, keepdims=True)
    flat = described.patches.reshape(len(described.patches), -1)
    along = stretched.reshape(len(stretched), -1) @ flat.T
    along -= shift.astype(np.float32)
    return along


def _floats(images: np.ndarray) -> np.ndarray:
    return images * np.float32(1 / 127.5) - np.float32(1) if images.dtype == np.uint8 else images


def _band(images: np.ndarray, level: int, last: bool) -> np.ndarray:
    """One level of the Laplacian pyramid (Burt and Adelson 1983); the last is no band but what is left."""
    for _ in range(level):
        images = _reduce(images)
    return images if last else images - _expand(_reduce(images))


def _reduce(images: np.ndarray) -> np.ndarray:
    """Blurred, and every second pixel of it."""
    for axis in (1, 2):
        images = np.swapaxes(_blur(images, axis), 0, axis)[::2].swapaxes(0, axis)
    return images


def _expand(images: np.ndarray) -> np.ndarray:
    """Twice as high and wide: zeros between the pixels, blurred and made as bright again."""
    n, height, width, channels = images.shape
    spread = np.zeros((n, 2 * height, 2 * width, channels), np.float32)
    spread[:, ::2, ::2] = images
    return 4 * _blur(_blur(spread, 1), 2)


def _blur(images: np.ndarray, axis: int) -> np.ndarray:
    """Convolved along one axis with 1 4 6 4 1, edges mirrored."""
    padding = [(0, 0)] * images.ndim
    padding[axis] = (2, 2)
    padded = np.moveaxis(np.pad(images, padding, mode="reflect"), axis, 0)
    length = images.shape[axis]
    blurred = _KERNEL[0] * padded[:length]
    for i in range(1, len(_KERNEL)):
        blurred += _KERNEL[i] * padded[i : i + length]
    return np.moveaxis(blurred, 0, axis)
