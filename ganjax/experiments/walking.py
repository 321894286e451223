"""Walks from one latent to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def walks(starts: np.ndarray, ends: np.ndarray, n: int) -> np.ndarray:
    """From each start to its end along the sphere (White 2016, https://arxiv.org/abs/1609.04468).

    slerp(a, b; t) = sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b, with w the angle between a and b: a
    straight line would pass through latents far shorter than any the generator was trained on.

    Args:
        starts, ends: `(rows, *latent_shape)`, none of them zero.
        n: latents of a walk, its two ends among them.

    Returns:
        `(rows, n, *latent_shape)` float32.
    """
    import numpy as np

    a, b = (np.asarray(x, np.float64).reshape(len(starts), 1, -1) for x in (starts, ends))
    lengths = np.linalg.norm(a, axis=2, keepdims=True) * np.linalg.norm(b, axis=2, keepdims=True)
    angle = np.arccos(np.clip(np.sum(a * b, axis=2, keepdims=True) / lengths, -1, 1))
    angle = np.clip(angle, 1e-6, np.pi - 1e-6)
    t = np.linspace(0, 1, n)[None, :, None]
    latents = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return latents.reshape(len(starts), n, *starts.shape[1:]).astype(np.float32)
