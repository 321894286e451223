"""Checks of the scores' arguments: features, labels and pictures become NumPy arrays, errors are one line."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from ganjax.checks import as_key


def as_features(name: str, features: ArrayLike, at_least: int = 2) -> np.ndarray:
    """`features` as float64 `(n, d)`.

    Raises:
        ValueError: not floats, not two-dimensional, fewer than `at_least` rows, or not all finite.
    """
    array = np.asarray(features)
    if array.ndim != 2 or not array.shape[1] or not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name} must be floats of shape (n, d), got {_described(array)}")
    return _finite(name, _enough(name, array, at_least).astype(np.float64))


def as_feature_pair(
    names: tuple[str, str], a: ArrayLike, b: ArrayLike, at_least: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of features as float64 `(n, d)` and `(m, d)`.

    Raises:
        ValueError: as `as_features`, or they have different d.
    """
    first, second = as_features(names[0], a, at_least), as_features(names[1], b, at_least)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]} must have the same number of features, "
            f"got {first.shape[1]} and {second.shape[1]}"
        )
    return first, second


def as_labels(name: str, labels: ArrayLike, counts: np.ndarray | None = None) -> np.ndarray:
    """`labels` as whole numbers `(n, attributes)`, -1 where an attribute does not apply.

    Args:
        name: the argument's name, for messages.
        labels: the labels.
        counts: number of values of each attribute, whole numbers `(attributes,)`; None: not checked.

    Raises:
        ValueError: not whole numbers, not two-dimensional, no rows, or a label outside -1..count-1.
    """
    array = np.asarray(labels)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be whole numbers of shape (n, attributes), got {_described(array)}")
    array = _enough(name, array, 1).astype(np.int64)
    if counts is not None:
        if array.shape[1:] != counts.shape:
            raise ValueError(f"{name} has {array.shape[1]} attributes, but counts has shape {counts.shape}")
        wrong = np.argwhere((array < -1) | (array >= counts))
        if len(wrong):
            row, attribute = wrong[0]
            raise ValueError(
                f"{name}[{row}, {attribute}] is {array[row, attribute]}, outside -1..{counts[attribute] - 1}"
            )
    return array


def as_samples(name: str, samples: ArrayLike, at_least: int = 1) -> np.ndarray:
    """Pictures or features as `(n, d)`, flattened: uint8, or float32 and finite.

    Raises:
        ValueError: neither uint8 nor floats, fewer than two dimensions, too few rows, or not all finite.
    """
    array = np.asarray(samples)
    if array.ndim < 2 or not array[:1].size or not _numbers(array):
        raise ValueError(
            f"{name} must be uint8 or floats of shape (n, ...), one sample a row, got {_described(array)}"
        )
    array = _enough(name, array, at_least).reshape(len(array), -1)
    return array if array.dtype == np.uint8 else _finite(name, array.astype(np.float32, copy=False))


def as_pictures(name: str, pictures: ArrayLike, smallest: int) -> np.ndarray:
    """Square colour pictures `(n, size, size, 3)`, the size a power of two: uint8, or float32 and finite.

    Raises:
        ValueError: another shape or type, smaller than `smallest`, no pictures, or not all finite.
    """
    array = np.asarray(pictures)
    size = array.shape[1] if array.ndim == 4 else 0
    if size < smallest or size & (size - 1) or array.shape[1:] != (size, size, 3) or not _numbers(array):
        raise ValueError(
            f"{name} must be uint8 or floats of shape (n, size, size, 3), the size a power of two "
            f"of at least {smallest}, got {_described(array)}"
        )
    array = _enough(name, array, 1)
    return array if array.dtype == np.uint8 else _finite(name, array.astype(np.float32, copy=False))


def check_number(name: str, number: int, smallest: int, largest: int, why: str) -> None:
    """Raise ValueError unless `number` is a whole number in `smallest..largest`."""
    if not isinstance(number, int | np.integer) or not smallest <= number <= largest:
        raise ValueError(f"{name} must be a whole number in {smallest}..{largest} ({why}), got {number!r}")


def generator(key: jax.Array) -> np.random.Generator:
    """NumPy's random number generator, seeded by a PRNG key: unlike JAX's it needs no compilation.

    Raises:
        TypeError: `key` is not a PRNG key.
        ValueError: it is an array of keys.
    """
    return np.random.default_rng(np.asarray(jax.random.key_data(as_key(key))))


def _numbers(array: np.ndarray) -> bool:
    return array.dtype == np.uint8 or jnp.issubdtype(array.dtype, jnp.floating)


def _enough(name: str, array: np.ndarray, at_least: int) -> np.ndarray:
    if len(array) < at_least:
        raise ValueError(f"{name} must hold at least {at_least} samples, got {len(array)}")
    return array


def _finite(name: str, array: np.ndarray) -> np.ndarray:
    # In blocks to save memory, since `isfinite` makes a mask as large as its argument.
    for i in range(0, len(array), 1024):
        if not np.isfinite(array[i : i + 1024]).all():
            raise ValueError(f"{name} holds NaN or infinity: leave out these samples, and say how many")
    return array


def _described(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"
