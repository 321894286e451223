"""Series of latents for exploring a latent space, as plain functions of arrays.

Constant, flipped and partly fixed latents as in the original notebook; interpolations along the sphere, steps
along directions, and latents near another. Latents are float32 `(n, *latent_shape)`; random ones are passed
in. A series comes with the labels of its grid: `(latents, row labels, column labels or None)`, in reading
order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Series = tuple[np.ndarray, list[str], list[str] | None]

CONSTANTS = (1.0, 0.8, 0.6, 0.4, -0.4, -0.6, -0.8, -1.0)
FLIP = 10  # coordinates flipped at a time
HELD = 35  # coordinates that stay fixed while the others are drawn again
TRUNCATIONS = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0)  # psi, from the average face to the face itself
DEVIATIONS = (-3, -2, -1, 0, 1, 2, 3)  # along a direction, in standard deviations of the latents


def constant_latents(shape: tuple[int, ...]) -> Series:
    """Latents whose coordinates are all equal, in one row."""
    latents = np.stack([np.full(shape, value, np.float32) for value in CONSTANTS])
    return latents, ["every\ncoordinate"], [f"{value:g}" for value in CONSTANTS]


def flipped_latents(shape: tuple[int, ...]) -> Series:
    """From all 1 to all -1, with ten more coordinates flipped at each step."""
    size = int(np.prod(shape))
    counts = [*range(0, size, FLIP), size]
    index = np.arange(size)
    latents = np.stack([np.where(index < count, -1.0, 1.0) for count in counts])
    return (
        latents.reshape(-1, *shape).astype(np.float32),
        ["flipped\nto -1"],
        [str(count) for count in counts],
    )


def held_latents(starts: np.ndarray, others: np.ndarray) -> Series:
    """Each row has the first coordinates of one start; the others are drawn again for every picture."""
    rows = len(starts)
    held = min(HELD, starts[0].size // 2)
    latents = others.reshape(rows, -1, starts[0].size).copy()
    latents[:, :, :held] = starts.reshape(rows, 1, -1)[:, :, :held]
    labels = [f"first {held}\nof face {i + 1}" for i in range(rows)]
    return latents.reshape(-1, *starts.shape[1:]).astype(np.float32), labels, None


def interpolated_latents(starts: np.ndarray, ends: np.ndarray, columns: int) -> Series:
    """Each row leads from one face to another along the sphere, including both ends."""
    rows = len(starts)
    t = np.linspace(0, 1, columns)
    labels = [f"face {i + 1}\nto {rows + i + 1}" for i in range(rows)]
    return slerp(starts, ends, t), labels, [f"{x:.2f}" for x in t]


def truncated_latents(latents: np.ndarray) -> Series:
    """Each row repeats one latent, once for each of `TRUNCATIONS`."""
    labels = [f"face {i + 1}" for i in range(len(latents))]
    return np.repeat(latents, len(TRUNCATIONS), axis=0), labels, [f"{psi:g}" for psi in TRUNCATIONS]


def direction_latents(latent: np.ndarray, directions: np.ndarray, scale: float) -> Series:
    """Each row moves one latent along one of the directions `(k, latent size)` by `scale` times -3 to 3."""
    amounts = np.repeat(np.eye(len(directions)), len(DEVIATIONS), axis=0)
    amounts *= np.tile(DEVIATIONS, len(directions))[:, None]
    labels = [f"direction {i + 1}" for i in range(len(directions))]
    columns = [f"{deviation:+d}σ" if deviation else "0" for deviation in DEVIATIONS]
    return moved(latent[None], directions, scale * amounts), labels, columns


def closed_walk(latents: np.ndarray, steps: int) -> np.ndarray:
    """From each latent to the next along the sphere, and from the last back to the first: `(n * steps, ...)`.

    Each latent occurs once, as the start of a part and not as the end of the one before, so that a film of
    the walk can be repeated without a pause.
    """
    t = np.arange(steps) / steps
    return slerp(latents, np.roll(latents, -1, axis=0), t)


def slerp(starts: np.ndarray, ends: np.ndarray, t: Sequence[float] | np.ndarray) -> np.ndarray:
    """Spherical interpolation from each start to its end (White 2016, https://arxiv.org/abs/1609.04468).

    slerp(a, b; t) = sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b, with w the angle between a and b. A
    straight line would pass through latents much shorter than those that the generator was trained on.

    Args:
        starts, ends: `(n, *latent_shape)`.
        t: positions from 0 (start) to 1 (end), shape `(steps,)`.

    Returns:
        float32 `(n * steps, *latent_shape)`, all steps of the first pair before those of the second.
    """
    rows = len(starts)
    a, b = (x.reshape(rows, 1, -1).astype(np.float64) for x in (starts, ends))
    lengths = np.linalg.norm(a, axis=2, keepdims=True) * np.linalg.norm(b, axis=2, keepdims=True)
    lengths = np.maximum(lengths, np.finfo(np.float64).tiny)  # a zero latent: any angle will do
    angle = np.arccos(np.clip(np.sum(a * b, axis=2, keepdims=True) / lengths, -1, 1))
    angle = np.clip(angle, 1e-6, np.pi - 1e-6)
    t = np.asarray(t)[None, :, None]
    latents = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return latents.reshape(-1, *starts.shape[1:]).astype(np.float32)


def moved(latents: np.ndarray, directions: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Latents `(n, ...)`, or one for all `(1, ...)`, moved along `directions` by `amounts` `(n, k)`."""
    by = (amounts @ directions).reshape(-1, *latents.shape[1:])
    return (latents + by).astype(np.float32)


def nearby(latent: np.ndarray, others: np.ndarray, angle: float, mean: float) -> np.ndarray:
    """Latents `(n, ...)` at an angle to `latent` `(...)`, each towards one of `others` `(n, ...)`.

    mean + cos(angle) (z - mean) + sin(angle) (other - mean). This sum of independent normal values has their
    own variance, so the result is distributed as the latents from which it was made.
    """
    z, direction = latent[None] - mean, others - mean
    return (mean + np.cos(angle) * z + np.sin(angle) * direction).astype(np.float32)
