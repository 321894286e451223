"""The linear maps of Winograd's algorithm from images, features and kernels to tiles, and their adjoints.

Every map transforms one spatial axis completely before the other. The batch is always the innermost axis, so
that XLA makes simple loops. Shapes are those of winograd.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata

from ganjax.networks.convolution.minimal_filtering import minimal_filtering
from ganjax.networks.convolution.plans import Axis, Plan


def _unfused(function: Callable[[Plan, jax.Array], jax.Array]) -> Callable[[Plan, jax.Array], jax.Array]:
    """Keep XLA from fusing the function into all users of its result: each would compute it again."""
    compiled = jax.jit(function, static_argnums=0)

    @functools.wraps(function)
    def called(plan: Plan, x: jax.Array) -> jax.Array:
        with set_xla_metadata(inlineable="false"):
            return compiled(plan, x)

    return called


def _combine(matrix: np.ndarray, parts: Sequence[jax.Array], axis: int = 0) -> jax.Array:
    """The matrix `(m, n)` times n arrays, as one array with a new axis of size m.

    XLA makes a single loop without branches of this; a stack of m sums would have branches.
    """
    total: Any = 0.0
    for column, part in zip(matrix.T, parts, strict=True):
        part = jnp.expand_dims(part, axis)
        shape = (*part.shape[:axis], len(matrix), *part.shape[axis + 1 :])
        total = total + lax.broadcast_in_dim(jnp.asarray(column), shape, (axis,)) * part
    return total


def _every(axis: Axis, x: jax.Array, dimension: int) -> list[jax.Array]:
    """For each point of a tile, the blocks at this point in all tiles."""
    last = axis.tile * (axis.tiles - 1) + 1
    return [lax.slice_in_dim(x, k, k + last, axis.tile, dimension) for k in range(axis.points)]


def _image_to_tiles(plan: Plan, image: jax.Array) -> jax.Array:
    height, width = plan
    padding = ((0, 0, 0), height.padding, width.padding, (0, 0, 0))
    tiles = _tile_columns(plan, _tile_rows(plan, lax.pad(image, jnp.zeros((), image.dtype), padding)))
    return tiles.reshape(_points(plan), -1, height.tiles * width.tiles * image.shape[-1])


@_unfused
def _tile_rows(plan: Plan, image: jax.Array) -> jax.Array:
    """(c, length, length, batch) to (points, stride, c, tiles, length * batch)."""
    height, _ = plan
    blocks = image.reshape(image.shape[0], height.blocks, height.stride, -1)
    parts = [part.transpose(2, 0, 1, 3) for part in _every(height, blocks, 1)]
    return _combine(minimal_filtering(height.tile, height.taps)[2], parts)


@_unfused
def _tile_columns(plan: Plan, rows: jax.Array) -> jax.Array:
    """(points, stride, c, tiles, length * batch) to the tiles of both axes."""
    height, width = plan
    blocks = rows.reshape(height.points, -1, height.tiles, width.blocks, width.stride, _batch(width, rows))
    parts = [part.transpose(0, 4, 1, 2, 3, 5) for part in _every(width, blocks, 3)]
    return _combine(minimal_filtering(width.tile, width.taps)[2], parts)


def _batch(width: Axis, rows: jax.Array) -> int:
    return rows.shape[-1] // width.length


def _tiles_to_image(plan: Plan, tiles: jax.Array) -> jax.Array:
    height, width = plan
    tiles = tiles.reshape(
        width.points, height.points, width.stride, -1, height.tiles, width.tiles, _places(plan, tiles)
    )
    return _untile_rows(plan, _untile_columns(plan, tiles))


def _places(plan: Plan, tiles: jax.Array) -> int:
    height, width = plan
    return tiles.shape[-1] // (height.tiles * width.tiles)


def _points(plan: Plan) -> int:
    height, width = plan
    return height.points * width.points


def _overlapping(axis: Axis) -> np.ndarray:
    """(tile, 2 * points): the contributions of a tile and of the one before it to the tile's blocks."""
    B = minimal_filtering(axis.tile, axis.taps)[2]
    before = np.zeros_like(B[:, : axis.tile])
    before[:, : axis.taps - 1] = B[:, axis.tile :]
    return np.concatenate([B[:, : axis.tile], before]).T


def _with_neighbours(axis: Axis, parts: Sequence[jax.Array], dimension: int) -> list[jax.Array]:
    """Every part unchanged and every part shifted by one tile; all are one tile longer."""

    def moved(part: jax.Array, by: int) -> jax.Array:
        padding = [(0, 0, 0)] * part.ndim
        padding[dimension] = (by, 1 - by, 0)
        return lax.pad(part, jnp.zeros((), part.dtype), padding)

    return [moved(part, 0) for part in parts] + [moved(part, 1) for part in parts]


@_unfused
def _untile_columns(plan: Plan, tiles: jax.Array) -> jax.Array:
    """The adjoint of :func:`_tile_columns`, cropped to the image's width."""
    height, width = plan
    parts = [tiles[q].transpose(0, 2, 3, 4, 1, 5) for q in range(width.points)]
    blocks = _combine(_overlapping(width), _with_neighbours(width, parts, 3), axis=4)
    rows = blocks.reshape(
        height.points,
        height.stride,
        -1,
        height.tiles,
        width.stride * (width.features + width.tile),
        blocks.shape[-1],
    )
    return _cropped(width, rows, 4)


@_unfused
def _untile_rows(plan: Plan, rows: jax.Array) -> jax.Array:
    """The adjoint of :func:`_tile_rows`, cropped to the image's height."""
    height, width = plan
    batch = rows.shape[-1]
    parts = [part.reshape(*part.shape[:3], -1).transpose(1, 2, 0, 3) for part in rows]
    blocks = _combine(_overlapping(height), _with_neighbours(height, parts, 1), axis=2)
    image = blocks.reshape(
        blocks.shape[0], height.stride * (height.features + height.tile), width.size, batch
    )
    return _cropped(height, image, 1)


def _cropped(axis: Axis, x: jax.Array, dimension: int) -> jax.Array:
    padding = [(0, 0, 0)] * x.ndim
    padding[dimension] = (-axis.low, axis.size + axis.low - x.shape[dimension], 0)
    return lax.pad(x, jnp.zeros((), x.dtype), padding)


def _features_to_tiles(plan: Plan, features: jax.Array) -> jax.Array:
    return _tile_feature_columns(plan, _tile_feature_rows(plan, features)).reshape(
        _points(plan), features.shape[0], -1
    )


@_unfused
def _tile_feature_rows(plan: Plan, features: jax.Array) -> jax.Array:
    """(d, height, width, batch) to (points, d, tiles, width * batch)."""
    height, _ = plan
    rows = features.reshape(features.shape[0], height.tiles, height.tile, -1)
    parts = [rows[:, :, k] for k in range(height.tile)]
    return _combine(minimal_filtering(height.tile, height.taps)[0], parts)


@_unfused
def _tile_feature_columns(plan: Plan, rows: jax.Array) -> jax.Array:
    """(points, d, tiles, width * batch) to (points, points * d * tiles, tiles, batch)."""
    _, width = plan
    columns = rows.reshape(-1, width.tiles, width.tile, rows.shape[-1] // width.features)
    parts = [columns[:, :, k] for k in range(width.tile)]
    return _combine(minimal_filtering(width.tile, width.taps)[0], parts)


def _tiles_to_features(plan: Plan, tiles: jax.Array) -> jax.Array:
    height, width = plan
    tiles = tiles.reshape(width.points, height.points, -1, height.tiles, width.tiles, _places(plan, tiles))
    return _untile_feature_rows(plan, _untile_feature_columns(plan, tiles))


@_unfused
def _untile_feature_columns(plan: Plan, tiles: jax.Array) -> jax.Array:
    """(points, points, d, tiles, tiles, batch) to (points, d, tiles, width, batch)."""
    _, width = plan
    A = minimal_filtering(width.tile, width.taps)[0]
    rows = _combine(A.T, list(tiles), axis=4)
    return rows.reshape(*rows.shape[:3], width.features, rows.shape[-1])


@_unfused
def _untile_feature_rows(plan: Plan, rows: jax.Array) -> jax.Array:
    """(points, d, tiles, width, batch) to (d, height, width, batch)."""
    height, _ = plan
    A = minimal_filtering(height.tile, height.taps)[0]
    features = _combine(A.T, list(rows), axis=2)
    return features.reshape(features.shape[0], height.features, *features.shape[-2:])


@_unfused
def kernel_to_tiles(plan: Plan, kernel: jax.Array) -> jax.Array:
    """(height, width, c, d) to (points, stride * stride * c, d)."""
    tiles = _kernel_tiles(plan, kernel).transpose(0, 1, 3, 2, 4, 5)
    return tiles.reshape(_points(plan), -1, kernel.shape[3])


def kernel_to_tiles_by_features(plan: Plan, kernel: jax.Array) -> jax.Array:
    """(height, width, c, d) to (points, d, stride * stride * c)."""
    return _transposed_kernel_to_tiles(plan, _transposed(plan, kernel))


@_unfused
def _transposed(plan: Plan, kernel: jax.Array) -> jax.Array:
    return kernel.swapaxes(2, 3)


@_unfused
def _transposed_kernel_to_tiles(plan: Plan, transposed: jax.Array) -> jax.Array:
    tiles = _kernel_tiles(plan, transposed).transpose(0, 1, 4, 3, 2, 5)
    return tiles.reshape(_points(plan), transposed.shape[2], -1)


def _kernel_tiles(plan: Plan, kernel: jax.Array) -> jax.Array:
    """(height, width, ...) to (points across, points down, stride down, stride across, ...)."""
    height, width = plan
    taps = kernel.reshape(height.taps, height.stride, width.taps, width.stride, *kernel.shape[2:])
    rows = _combine(minimal_filtering(height.tile, height.taps)[1], list(taps))
    columns = [rows[:, :, k] for k in range(width.taps)]
    return _combine(minimal_filtering(width.tile, width.taps)[1], columns)


@_unfused
def tiles_to_kernel(plan: Plan, tiles: jax.Array) -> jax.Array:
    """The adjoint of :func:`kernel_to_tiles`."""
    height, width = plan
    features = tiles.shape[-1]
    tiles = tiles.reshape(width.points, height.points, width.stride, height.stride, -1, features)
    columns = _combine(minimal_filtering(width.tile, width.taps)[1].T, list(tiles))
    rows = [columns[:, p] for p in range(height.points)]
    taps = _combine(minimal_filtering(height.tile, height.taps)[1].T, rows)
    kernel = taps.transpose(0, 3, 1, 2, 4, 5)
    return kernel.reshape(height.taps * height.stride, width.taps * width.stride, -1, features)


def _adjoint(forward: Callable[..., jax.Array], backward: Callable[..., jax.Array]) -> Any:
    """Two linear maps, each of which is the vector-Jacobian product of the other."""
    f = jax.custom_vjp(forward, nondiff_argnums=(0,))
    g = jax.custom_vjp(backward, nondiff_argnums=(0,))
    f.defvjp(lambda plan, x: (f(plan, x), None), lambda plan, _, y: (g(plan, y),))
    g.defvjp(lambda plan, y: (g(plan, y), None), lambda plan, _, x: (f(plan, x),))
    return f, g


image_to_tiles, tiles_to_image = _adjoint(_image_to_tiles, _tiles_to_image)
features_to_tiles, tiles_to_features = _adjoint(_features_to_tiles, _tiles_to_features)
