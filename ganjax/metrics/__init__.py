"""Scores of generators, as pure functions of samples, of their features, or of their attribute labels.

A score that compares two sets should be computed twice: once for real and generated samples, and once for
real samples and the same number of held-out real ones. The second value is what a perfect generator would
get.
"""

from ganjax.metrics.attributes import (
    distinct_combinations,
    entropies,
    missing_values,
    share_confident,
    share_produced,
    total_variation,
)
from ganjax.metrics.feature_distances import KernelDistance, frechet_distance, kernel_distance
from ganjax.metrics.manifold import DensityCoverage, PrecisionRecall, density_coverage, precision_recall
from ganjax.metrics.modes import ModeScores, mode_scores, perfect_mode_scores
from ganjax.metrics.neighbours import Memorisation, Neighbours, memorisation, nearest
from ganjax.metrics.sliced_wasserstein import sliced_wasserstein, sliced_wasserstein_1
from ganjax.metrics.two_sample import TwoSampleTest, energy_test, mmd_test

__all__ = [
    "DensityCoverage",
    "KernelDistance",
    "Memorisation",
    "ModeScores",
    "Neighbours",
    "PrecisionRecall",
    "TwoSampleTest",
    "density_coverage",
    "distinct_combinations",
    "energy_test",
    "entropies",
    "frechet_distance",
    "kernel_distance",
    "memorisation",
    "missing_values",
    "mmd_test",
    "mode_scores",
    "nearest",
    "perfect_mode_scores",
    "precision_recall",
    "share_confident",
    "share_produced",
    "sliced_wasserstein",
    "sliced_wasserstein_1",
    "total_variation",
]
