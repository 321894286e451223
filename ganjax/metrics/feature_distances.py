"""Distances between two sets of features: the Frechet distance and the kernel distance.

With the features of Inception they are known as FID and KID. The Frechet distance is biased for few samples,
the kernel distance is not.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from ganjax.metrics.inputs import as_feature_pair, check_number, generator


def frechet_distance(features_a: ArrayLike, features_b: ArrayLike) -> float:
    """|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), with means m and unbiased covariances S.

    Heusel et al. 2017, equation 6, https://arxiv.org/abs/1706.08500. There the features are Inception's, and
    the distance is called FID; with other features it must not be called FID. In squared units of the
    features; 0 only if means and covariances agree; symmetric.

    It is too large for a finite number of samples, by about d^2 / n in units of a variance (Chong and Forsyth
    2020, https://arxiv.org/abs/1911.07023): compare only scores with equal n, and with what held-out real
    samples get.

    Args:
        features_a: `(n, d)` floats; n >= 2, also less than d.
        features_b: `(m, d)` floats.

    Raises:
        ValueError: other types or shapes, different d, NaN or infinity.

    Cost: (n + m) d^2 operations in float64.
    """
    a, b = as_feature_pair(("features_a", "features_b"), features_a, features_b)
    mean_a, root_a = _gaussian(a)
    mean_b, root_b = _gaussian(b)
    # S_a S_b = R_a' R_a R_b' R_b has the same eigenvalues as (R_a R_b')(R_a R_b')', and their square roots
    # are the singular values of R_a R_b'. This is also right for singular covariances, and it is more precise
    # than the square root of a computed product.
    cross = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    traces = (root_a**2).sum() + (root_b**2).sum()
    return float(max(((mean_a - mean_b) ** 2).sum() + traces - 2 * cross, 0.0))


def _gaussian(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean `(d,)` and a root R `(min(n, d), d)` of the unbiased covariance, R'R."""
    mean = features.mean(axis=0)
    return mean, np.linalg.qr(features - mean, mode="r") / np.sqrt(len(features) - 1)


class KernelDistance(NamedTuple):
    """The result of `kernel_distance`.

    Attributes:
        mean: over the subsets; near 0, positive or negative, if the distributions agree.
        standard_deviation: between the subsets: the uncertainty of one subset of that size. Subsets share
            samples, so dividing it by the root of their number does not give a standard error.
    """

    mean: float
    standard_deviation: float


def kernel_distance(
    features_a: ArrayLike,
    features_b: ArrayLike,
    *,
    key: jax.Array,
    subsets: int = 100,
    subset_size: int = 1000,
) -> KernelDistance:
    """Unbiased MMD^2 with the kernel (x.y / d + 1)^3, over random subsets.

    Binkowski et al. 2018, section 3.1, https://arxiv.org/abs/1801.01401. There the features are Inception's,
    and the distance is called KID; with other features it must not be called KID. It has no bias for any
    number of samples, only more variance for few; it may be negative by chance.

    Args:
        features_a: `(n, d)` floats.
        features_b: `(m, d)` floats.
        key: PRNG key that draws the subsets, each without replacement.
        subsets: number of subsets; 1 with a `subset_size` of n gives the estimate from all samples.
        subset_size: samples of each set in a subset; n or m if that is less.

    Raises:
        ValueError: other types or shapes, different d, NaN or infinity, numbers out of range.

    Cost: 3 * subsets * subset_size^2 * d operations in float64.
    """
    a, b = as_feature_pair(("features_a", "features_b"), features_a, features_b)
    check_number("subsets", subsets, 1, 100_000, "random subsets")
    check_number("subset_size", subset_size, 2, 100_000, "samples of each set in a subset")
    random = generator(key)
    found = [
        _squared_mmd(_draw(random, a, subset_size), _draw(random, b, subset_size)) for _ in range(subsets)
    ]
    return KernelDistance(float(np.mean(found)), float(np.std(found)))


def _draw(random: np.random.Generator, features: np.ndarray, size: int) -> np.ndarray:
    return random.choice(features, min(size, len(features)), replace=False)


def _squared_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased MMD^2 (Gretton et al. 2012, equation 3): no sample is compared with itself."""
    return _mean_of_others(_kernel(a, a)) + _mean_of_others(_kernel(b, b)) - 2 * _kernel(a, b).mean()


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    base = a @ b.T
    base /= a.shape[1]
    base += 1
    return base * base * base


def _mean_of_others(kernel: np.ndarray) -> float:
    n = len(kernel)
    return (kernel.sum() - np.trace(kernel)) / (n * (n - 1))
