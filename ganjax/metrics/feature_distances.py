"""The kernel distance between two sets of features: an unbiased estimate, unlike the Frechet distance."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from ganjax.metrics.inputs import as_feature_pair, check_number, generator


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


class KernelDistance(NamedTuple):
    """What `kernel_distance` finds.

    Attributes:
        mean: over the subsets; near 0, on either side of it, where the distributions agree.
        standard_deviation: over the subsets: what one subset of that size is uncertain by. Subsets share
            samples, so it does not shrink to a standard error by dividing by the root of their number.
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

    Binkowski et al. 2018, section 3.1, https://arxiv.org/abs/1801.01401 (where features are Inception's and
    the distance is called KID; it may not be called so with other features). The number of samples does not
    bias it, it only makes it less certain; negative values are chance.

    Args:
        features_a: `(n, d)` floats.
        features_b: `(m, d)` floats.
        key: PRNG key that draws the subsets, each without repetition.
        subsets: how many; 1 with a `subset_size` of n gives the estimate from all samples.
        subset_size: samples of each set in a subset; n or m where that is less.

    Raises:
        ValueError: other types or shapes, different widths, NaN or infinity, numbers out of range.

    Cost: 3 * subsets * subset_size^2 * d in float64.
    """
    a, b = as_feature_pair(("features_a", "features_b"), features_a, features_b)
    check_number("subsets", subsets, 1, 100_000, "how often the distance is estimated")
    check_number("subset_size", subset_size, 2, 100_000, "samples of each set in a subset")
    random = generator(key)
    found = [
        _squared_mmd(_draw(random, a, subset_size), _draw(random, b, subset_size)) for _ in range(subsets)
    ]
    return KernelDistance(float(np.mean(found)), float(np.std(found)))


def _draw(random: np.random.Generator, features: np.ndarray, size: int) -> np.ndarray:
    return random.choice(features, min(size, len(features)), replace=False)


def _squared_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased MMD^2 (Gretton et al. 2012, equation 3): samples are not compared with themselves."""
    return _mean_of_others(_kernel(a, a)) + _mean_of_others(_kernel(b, b)) - 2 * _kernel(a, b).mean()


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    base = a @ b.T
    base /= a.shape[1]
    base += 1
    return base * base * base


def _mean_of_others(kernel: np.ndarray) -> float:
    n = len(kernel)
    return (kernel.sum() - np.trace(kernel)) / (n * (n - 1))
