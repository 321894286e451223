"""Where to look in a latent space: series of latents, as plain functions of arrays.

Those of the course (constant, flipped, held), walks along the sphere, steps along directions, and nearness.
Latents are float32 `(n, *latent_shape)`; what is drawn at random is handed in. A series comes with the labels
of its grid: `(latents, row labels, column labels or None)`, in reading order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Series = tuple[np.ndarray, list[str], list[str] | None]

CONSTANTS = (1.0, 0.8, 0.6, 0.4, -0.4, -0.6, -0.8, -1.0)
FLIP = 10  # coordinates flipped at a time
HELD = 35  # coordinates held fixed while the rest is redrawn
TRUNCATIONS = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0)  # psi, from the average face to the face itself
DEVIATIONS = (-3, -2, -1, 0, 1, 2, 3)  # along a direction, in standard deviations of the latents


def constant_latents(shape: tuple[int, ...]) -> Series:
    """Latents whose coordinates are all equal, in one row."""
    latents = np.stack([np.full(shape, value, np.float32) for value in CONSTANTS])
    return latents, ["every\ncoordinate"], [f"{value:g}" for value in CONSTANTS]


def flipped_latents(shape: tuple[int, ...]) -> Series:
    """From all 1 to all -1, ten more coordinates flipped at a time."""
    size = int(np.prod(shape))
    counts = [*range(0, size, FLIP), size]
    place = np.arange(size)
    latents = np.stack([np.where(place < count, -1.0, 1.0) for count in counts])
    return (
        latents.reshape(-1, *shape).astype(np.float32),
        ["flipped\nto -1"],
        [str(count) for count in counts],
    )


def held_latents(starts: np.ndarray, others: np.ndarray) -> Series:
    """Each row: the first coordinates of one start, the rest redrawn for every picture."""
    rows = len(starts)
    held = min(HELD, starts[0].size // 2)
    latents = others.reshape(rows, -1, starts[0].size).copy()
    latents[:, :, :held] = starts.reshape(rows, 1, -1)[:, :, :held]
    labels = [f"first {held}\nof face {i + 1}" for i in range(rows)]
    return latents.reshape(-1, *starts.shape[1:]).astype(np.float32), labels, None


def interpolated_latents(starts: np.ndarray, ends: np.ndarray, columns: int) -> Series:
    """Each row: from one face to another along the sphere, ends included."""
    rows = len(starts)
    t = np.linspace(0, 1, columns)
    labels = [f"face {i + 1}\nto {rows + i + 1}" for i in range(rows)]
    return slerp(starts, ends, t), labels, [f"{x:.2f}" for x in t]


def truncated_latents(latents: np.ndarray) -> Series:
    """Each row: one latent as often as there are `TRUNCATIONS` to show it under."""
    labels = [f"face {i + 1}" for i in range(len(latents))]
    return np.repeat(latents, len(TRUNCATIONS), axis=0), labels, [f"{psi:g}" for psi in TRUNCATIONS]


def direction_latents(latent: np.ndarray, directions: np.ndarray, scale: float) -> Series:
    """Each row: from one latent `scale` times -3 to 3 along one of the directions `(k, latent size)`."""
    amounts = np.repeat(np.eye(len(directions)), len(DEVIATIONS), axis=0)
    amounts *= np.tile(DEVIATIONS, len(directions))[:, None]
    labels = [f"direction {i + 1}" for i in range(len(directions))]
    columns = [f"{deviation:+d}σ" if deviation else "0" for deviation in DEVIATIONS]
    return moved(latent[None], directions, scale * amounts), labels, columns


def closed_walk(latents: np.ndarray, steps: int) -> np.ndarray:
    """From each latent to the next along the sphere, from the last to the first: `(n * steps, ...)`.

    The end of each leg is the start of the next and there only, so that a film of it can be looped.
    """
    t = np.arange(steps) / steps
    return slerp(latents, np.roll(latents, -1, axis=0), t)


def slerp(starts: np.ndarray, ends: np.ndarray, t: Sequence[float] | np.ndarray) -> np.ndarray:
    """Along the sphere from each start to its end (White 2016, https://arxiv.org/abs/1609.04468).

    slerp(a, b; t) = sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b, with w the angle between a and b: a
    straight line would pass through latents far shorter than any the generator was trained on.

    Args:
        starts, ends: `(n, *latent_shape)`.
        t: places on each way, from 0 to 1, shape `(steps,)`.

    Returns:
        float32 `(n * steps, *latent_shape)`, one way after the other.
    """
    rows = len(starts)
    a, b = (x.reshape(rows, 1, -1).astype(np.float64) for x in (starts, ends))
    lengths = np.linalg.norm(a, axis=2, keepdims=True) * np.linalg.norm(b, axis=2, keepdims=True)
    lengths = np.maximum(lengths, np.finfo(np.float64).tiny)  # what has no length is at right angles to all
    angle = np.arccos(np.clip(np.sum(a * b, axis=2, keepdims=True) / lengths, -1, 1))
    angle = np.clip(angle, 1e-6, np.pi - 1e-6)
    t = np.asarray(t)[None, :, None]
    latents = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return latents.reshape(-1, *starts.shape[1:]).astype(np.float32)


def moved(latents: np.ndarray, directions: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Latents `(n, ...)` or one for all `(1, ...)`, each moved by its `amounts` `(n, k)`."""
    by = (amounts @ directions).reshape(-1, *latents.shape[1:])
    return (latents + by).astype(np.float32)


def nearby(latent: np.ndarray, others: np.ndarray, angle: float, mean: float) -> np.ndarray:
    """Latents `(n, ...)` at an angle from `latent` `(...)`, each towards one of `others` `(n, ...)`.

    mean + cos(angle) (z - mean) + sin(angle) (other - mean): as likely as the two from which it was made,
    since a sum of independent normal values so weighted has their variance.
    """
    z, toward = latent[None] - mean, others - mean
    return (mean + np.cos(angle) * z + np.sin(angle) * toward).astype(np.float32)
