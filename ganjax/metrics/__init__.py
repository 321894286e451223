"""How good a generator is, as pure functions of samples, of features of them, or of labels read off them.

Every score of two sets is used twice: on real samples against the generator's, and on real samples against
held-out real ones of the same number. The latter is its floor: what a perfect generator would score.
"""

from ganjax.metrics.attributes import (
    distinct_combinations,
    entropies,
    missing_values,
    share_confident,
    share_produced,
    total_variation,
)
from ganjax.metrics.frechet import frechet_distance
from ganjax.metrics.kernel_distance import KernelDistance, kernel_distance
from ganjax.metrics.manifold import DensityCoverage, PrecisionRecall, density_coverage, precision_recall
from ganjax.metrics.modes import Modes, count_modes
from ganjax.metrics.neighbours import Memorisation, Neighbours, memorisation, nearest
from ganjax.metrics.sliced_wasserstein import sliced_wasserstein

__all__ = [
    "DensityCoverage",
    "KernelDistance",
    "Memorisation",
    "Modes",
    "Neighbours",
    "PrecisionRecall",
    "count_modes",
    "density_coverage",
    "distinct_combinations",
    "entropies",
    "frechet_distance",
    "kernel_distance",
    "memorisation",
    "missing_values",
    "nearest",
    "precision_recall",
    "share_confident",
    "share_produced",
    "sliced_wasserstein",
    "total_variation",
]
