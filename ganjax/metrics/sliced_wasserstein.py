"""Sliced Wasserstein distance between points, or between patches of pictures at several scales."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from ganjax.metrics.inputs import as_feature_pair, as_pictures, check_number, generator

_SMALLEST = 16  # pixels of the coarsest level
_PATCH = 7
_KERNEL = np.array([1, 4, 6, 4, 1], np.float32) / 16
# A level whose standard deviation is below the precision of float32 pixels is empty: it is not scaled to unit
# variance.
_EMPTY = 1e-6
_PICTURES, _DIRECTIONS = 256, 64  # processed at a time, to save memory
_NUMBERS = 2**24  # likewise: 64 MB for each set


def sliced_wasserstein_1(x: ArrayLike, y: ArrayLike, *, key: jax.Array, projections: int = 256) -> float:
    """Sliced Wasserstein-1 distance between points: the mean over random directions of W1 along them.

    Bonneel et al. 2015, definition 1 with p = 1, https://doi.org/10.1007/s10851-014-0506-3; W1 of n points is
    the mean distance between the sorted projections. In the data's unit of length, and at most the distance
    by which points are moved. Symmetric. Also positive for two sets of the same distribution, the more so the
    fewer points: compare scores with equal n, and with what real points get.

    Args:
        x: `(n, d)` floats.
        y: the same shape.
        key: PRNG key that draws the directions, uniform on the sphere.
        projections: number of directions.

    Raises:
        ValueError: other types or shapes, sets of different shapes, NaN or infinity, no projections.

    Cost: for each projection and set, n * d multiplications and sorting n numbers, in float32; at most 128 MB
    in addition to the points. 2 500 points take 0.1 s, a million less than a minute.
    """
    first, second = as_feature_pair(("x", "y"), x, y, at_least=1)
    if len(first) != len(second):
        raise ValueError(
            f"x and y must hold the same number of points, got {len(first)} and {len(second)}: "
            "leave out some of the larger set"
        )
    check_number("projections", projections, 1, 100_000, "random directions")
    directions = generator(key).standard_normal((projections, first.shape[1]), np.float32)
    mean = first.mean(axis=0)  # subtracted in float64, since float32 is more precise for short vectors

    def projection(points: np.ndarray) -> Projection:
        columns = (points - mean).astype(np.float32).T
        return lambda directions: directions @ columns

    return _distance(projection(first), projection(second), directions, _NUMBERS // len(first))


def sliced_wasserstein(
    real_images: ArrayLike,
    fake_images: ArrayLike,
    *,
    key: jax.Array,
    patches: int = 64,
    projections: int = 256,
) -> dict[int, float]:
    """Sliced Wasserstein distance at every level of a Laplacian pyramid, finest first.

    Karras et al. 2018 (Progressive GAN), section 5, https://arxiv.org/abs/1710.10196. At each level, 7x7
    patches are taken at random positions, and each channel is normalised to mean 0 and variance 1. They are
    projected onto random directions; the distance along a direction is the mean difference between the sorted
    values. The finest level has edges and noise, the coarsest one (16 pixels) shapes and colours.

    Only patches are compared, so their positions and repeated pictures have no effect. Both sets are
    normalised separately, so a shift of all colours has no effect either. Also positive for two sets of the
    same distribution, the more so the fewer pictures: compare scores with equal n, and with what held-out
    real pictures get. Symmetric. The paper's tables give 1 000 times these values, for 16 384 pictures, 128
    patches of each and 512 projections.

    Args:
        real_images: `(n, size, size, 3)`, uint8 or floats in [-1, 1]; size a power of two, at least 16.
        fake_images: the same shape.
        key: PRNG key that draws directions and positions, the same positions in both sets.
        patches: number of patches of each picture at each level.
        projections: number of directions at each level.

    Returns:
        Size of the level in pixels -> distance.

    Raises:
        ValueError: other types or shapes, sets of different shapes, NaN or infinity, counts below 1.

    Cost: for each level, projection and set, n * patches * 147 multiplications and sorting n * patches
    numbers. Memory: the patches of both sets at one level, n * patches * 1 176 bytes.
    """
    real = as_pictures("real_images", real_images, _SMALLEST)
    fake = as_pictures("fake_images", fake_images, _SMALLEST)
    if real.shape != fake.shape:
        raise ValueError(
            f"real_images and fake_images must have the same shape, got {real.shape} and {fake.shape}: "
            "leave out some pictures of the larger set"
        )
    check_number("patches", patches, 1, 10_000, "of each picture")
    check_number("projections", projections, 1, 100_000, "random directions")
    size = real.shape[1]
    levels = (size // _SMALLEST).bit_length()
    distances = {}
    random = generator(key)
    for level in range(levels):
        pixels, last = size >> level, level == levels - 1
        corners = random.integers(pixels - _PATCH + 1, size=(2, len(real), patches))
        directions = random.standard_normal((projections, 3, _PATCH, _PATCH), np.float32)
        distances[pixels] = _distance(
            partial(_project, _patches(real, level, last, corners)),
            partial(_project, _patches(fake, level, last, corners)),
            directions,
            _DIRECTIONS,
        )
    return distances


class _Patches(NamedTuple):
    """Patches `(patches, 3, 7, 7)` of one level, mean and scale `(3,)` that normalise each channel."""

    patches: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def _patches(images: np.ndarray, level: int, last: bool, corners: np.ndarray) -> _Patches:
    per_image = corners.shape[2]
    patches = np.empty((len(images), per_image, 3, _PATCH, _PATCH), np.float32)
    total, squares = np.zeros(3), np.zeros(3)
    for start in range(0, len(images), _PICTURES):
        block = slice(start, start + _PICTURES)
        band = _band(_floats(images[block]), level, last)
        windows = np.lib.stride_tricks.sliding_window_view(band, (_PATCH, _PATCH), axis=(1, 2))
        picture = np.arange(len(band))[:, None]
        patches[block] = windows[picture, corners[0, block], corners[1, block]]
        exact = patches[block].astype(np.float64)
        total += exact.sum(axis=(0, 1, 3, 4))
        squares += np.square(exact, out=exact).sum(axis=(0, 1, 3, 4))
    count = patches.size // 3
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    scale = np.where(deviation > _EMPTY, 1 / np.maximum(deviation, _EMPTY), 0.0)
    return _Patches(patches.reshape(-1, 3, _PATCH, _PATCH), mean, scale)


Projection = Callable[[np.ndarray], np.ndarray]  # unit directions to projected values, one row per direction


def _distance(a: Projection, b: Projection, directions: np.ndarray, at_once: int) -> float:
    """Mean over directions of the Wasserstein-1 distance along them; they need not be normalised."""
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


def _project(normalised: _Patches, directions: np.ndarray) -> np.ndarray:
    """Normalised patches projected onto each of the directions: `(directions, patches)`."""
    # Directions are scaled instead of patches, since there are far fewer of them.
    scaled = directions * normalised.scale.astype(np.float32)[:, None, None]
    shift = (scaled.sum(axis=(2, 3)) * normalised.mean).sum(axis=1, keepdims=True)
    flat = normalised.patches.reshape(len(normalised.patches), -1)
    projected = scaled.reshape(len(scaled), -1) @ flat.T
    projected -= shift.astype(np.float32)
    return projected


def _floats(images: np.ndarray) -> np.ndarray:
    return images * np.float32(1 / 127.5) - np.float32(1) if images.dtype == np.uint8 else images


def _band(images: np.ndarray, level: int, last: bool) -> np.ndarray:
    """One level of the Laplacian pyramid (Burt and Adelson 1983); the last is the reduced picture itself."""
    for _ in range(level):
        images = _reduce(images)
    return images if last else images - _expand(_reduce(images))


def _reduce(images: np.ndarray) -> np.ndarray:
    """Blur, and keep every second pixel."""
    for axis in (1, 2):
        images = np.swapaxes(_blur(images, axis), 0, axis)[::2].swapaxes(0, axis)
    return images


def _expand(images: np.ndarray) -> np.ndarray:
    """Double height and width: put zeros between the pixels, blur, and multiply to keep the brightness."""
    n, height, width, channels = images.shape
    spread = np.zeros((n, 2 * height, 2 * width, channels), np.float32)
    spread[:, ::2, ::2] = images
    return 4 * _blur(_blur(spread, 1), 2)


def _blur(images: np.ndarray, axis: int) -> np.ndarray:
    """Convolve along one axis with [1 4 6 4 1] / 16; edges are mirrored."""
    padding = [(0, 0)] * images.ndim
    padding[axis] = (2, 2)
    padded = np.moveaxis(np.pad(images, padding, mode="reflect"), axis, 0)
    length = images.shape[axis]
    blurred = _KERNEL[0] * padded[:length]
    for i in range(1, len(_KERNEL)):
        blurred += _KERNEL[i] * padded[i : i + length]
    return np.moveaxis(blurred, 0, axis)
