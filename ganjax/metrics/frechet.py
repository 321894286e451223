"""The Frechet distance between two sets of features, each taken for a Gaussian."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ganjax.metrics.inputs import as_feature_pair


def frechet_distance(features_a: ArrayLike, features_b: ArrayLike) -> float:
    """|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), with means m and unbiased covariances S.

    Heusel et al. 2017, equation 6, https://arxiv.org/abs/1706.08500 (where features are Inception's and the
    distance is called FID; it may not be called so with other features). Squared units of the features; 0
    only where means and covariances agree; symmetric.

    Few samples make it too large, by about d^2 / n in units of a variance (Chong and Forsyth 2020,
    https://arxiv.org/abs/1911.07023): compare only scores of one n, and beside held-out real samples.

    Args:
        features_a: `(n, d)` floats; n >= 2, and may be below d.
        features_b: `(m, d)` floats.

    Raises:
        ValueError: other types or shapes, different widths, NaN or infinity.

    Cost: (n + m) d^2 in float64.
    """
    a, b = as_feature_pair(("features_a", "features_b"), features_a, features_b)
    mean_a, root_a = _gaussian(a)
    mean_b, root_b = _gaussian(b)
    # S_a S_b = R_a' R_a R_b' R_b has the eigenvalues of (R_a R_b')(R_a R_b')', and their square roots are the
    # singular values of R_a R_b': right for singular covariances too, and no digits go into a square root.
    cross = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    traces = (root_a**2).sum() + (root_b**2).sum()
    return float(max(((mean_a - mean_b) ** 2).sum() + traces - 2 * cross, 0.0))


def _gaussian(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean `(d,)` and a root R `(min(n, d), d)` of the unbiased covariance, R'R."""
    mean = features.mean(axis=0)
    return mean, np.linalg.qr(features - mean, mode="r") / np.sqrt(len(features) - 1)
