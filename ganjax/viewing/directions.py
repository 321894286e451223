"""Principal latent directions: along which a generator's features change most, found without labels.

As in GANSpace (Haerkoenen et al. 2020, https://arxiv.org/abs/2004.02546), by principal components of
features over many latents and by least squares between the two, but as one problem: the directions that
explain most of the features' variance linearly (reduced-rank regression, Izenman 1975). They come
orthonormal, and of features that are linear in the latent they are the singular vectors of the weights,
whatever latents were drawn (SeFa, Shen and Zhou 2021, https://arxiv.org/abs/2007.06600).
"""

from __future__ import annotations

import numpy as np


def principal_directions(latents: np.ndarray, features: np.ndarray, count: int) -> np.ndarray:
    """Orthonormal directions along which latents explain most of the variance of `features`.

    The left singular vectors of B, the least-squares solution of z B = f, with z and f the centred latents
    and features: no other `count` directions u leave less of f - (z u) V unexplained, whatever V.

    Args:
        latents: `(n, *latent_shape)`, drawn independently with equal variance in every coordinate.
        features: `(n, ...)`, of the same samples.
        count: how many directions.

    Returns:
        float32 `(min(count, latent size), latent size)`, in falling order of what they explain, each with its
        largest coordinate positive.
    """
    solution = np.linalg.lstsq(_centred(latents), _centred(features))[0]
    _, vectors = np.linalg.eigh(solution @ solution.T)  # in rising order
    directions = vectors.T[::-1][:count]
    largest = directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)]
    return (directions * np.where(largest < 0, -1, 1)[:, None]).astype(np.float32)


def _centred(values: np.ndarray) -> np.ndarray:
    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    return flat - flat.mean(axis=0)
