"""Whether two paths did the same work: the same steps from the same weights, on the same batches and noise.

After `work.CHECKED_STEPS` steps a path leaves `losses`, those of G and D at every step, `(seeds, steps, 2)`,
and every variable of both networks and of the averaged generator, `"generator/0"` and so on, each with a
leading axis of seeds. Two paths agree when

- every loss of every step is the same within a relative tolerance, and
- for every network and seed |w - w'| <= tolerance |w' - w_0|, in the Euclidean norm over all its trained
  variables, and again over all its statistics: the difference of the two ends, as a share of the way gone.

Why not weight by weight: Adam divides each gradient by its own size. Where a gradient is near zero, rounding
decides its sign, and the first steps move that weight by the learning rate this way or that; such weights
differ as far as a step goes, though little that the networks compute does.

Little, but for deep networks not too little. Such weights, and leaky ReLUs whose input lies so near zero that
rounding decides its side, set two runs apart from the second step on, and differences grow. How far rounding
alone leads is measured: the reference trains once more from weights that are perturbed by as much as rounding
puts a layer's value off (`work.ROUNDING`). Where `NOISE` times the difference that makes is more than the
tolerance, it takes the tolerance's place. The first step holds every path to the tolerance; in perceptrons
nearly every step does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks.throughput.work import listed

NOISE = 10.0

Arrays = Mapping[str, np.ndarray]


class Tolerances(NamedTuple):
    """Largest relative differences of losses, and of weights as a share of the way gone."""

    losses: float
    weights: float


TOLERANCES = {
    "float32": Tolerances(1e-4, 1e-3),
    "tf32": Tolerances(1e-2, 0.1),
    "bfloat16": Tolerances(3e-2, 0.3),
}


class Checked(NamedTuple):
    """What all comparisons of a workload have in common.

    Attributes:
        reference: what the path that the others are compared with has left.
        perturbed: what it has left when it started from perturbed weights.
        initial: the weights all started from.
        trained: by network, how many of its variables are trained: the first ones.
        precision: a key of `TOLERANCES`.
    """

    reference: Arrays
    perturbed: Arrays
    initial: Arrays
    trained: Mapping[str, int]
    precision: str


def compare(ours: Arrays, checked: Checked) -> dict[str, Any]:
    """The `same_work` entry of a row of results.

    Returns:
        `comparable`; `reason` (None, or what differs); `largest_loss_difference` and
        `largest_weight_difference` with their tolerances; the differences that rounding alone makes,
        `rounding_loss_difference` and `rounding_weight_difference`; and `strict_steps`, the number of steps
        whose losses were held to the tolerance.
    """
    tolerance = TOLERANCES[checked.precision]
    losses, noise = (loss_differences(arrays, checked.reference) for arrays in (ours, checked.perturbed))
    allowed = np.maximum(tolerance.losses, NOISE * np.maximum.accumulate(noise))
    reasons = []
    for step in np.flatnonzero(~(losses <= allowed))[:1]:  # so that NaN fails
        reasons.append(
            f"losses of step {step + 1} differ by {losses[step]:.1e} (relative), more than "
            f"{allowed[step]:.1e}"
        )
    weights = weight_differences(ours, checked)
    drift = weight_differences(checked.perturbed, checked)
    for name, difference in weights.items():
        most = max(tolerance.weights, NOISE * drift[name])
        if not difference <= most:
            reasons.append(f"{name} differ by {difference:.1e} of the way trained, more than {most:.1e}")
    return {
        "comparable": not reasons,
        "reason": "; ".join(reasons) or None,
        "largest_loss_difference": float(np.max(losses)),
        "loss_tolerance": tolerance.losses,
        "rounding_loss_difference": float(np.max(noise)),
        "strict_steps": int(np.sum(allowed <= tolerance.losses)),
        "largest_weight_difference": max(weights.values()),
        "weight_tolerance": tolerance.weights,
        "rounding_weight_difference": max(drift.values()),
    }


def loss_differences(ours: Arrays, reference: Arrays) -> np.ndarray:
    """For each step the largest relative difference of a loss, over both losses and all seeds."""
    theirs = reference["losses"]
    return np.max(np.abs(ours["losses"] - theirs) / np.abs(theirs), axis=(0, 2))


def weight_differences(ours: Arrays, checked: Checked) -> dict[str, float]:
    """The largest |w - w'| / |w' - w_0| over seeds, of each network's trained weights and statistics.

    Where the reference went nowhere, 0 if neither did the other, else infinity.
    """
    found = {}
    for network, count in checked.trained.items():
        own, theirs, start = (
            listed(arrays, network) for arrays in (ours, checked.reference, checked.initial)
        )
        for kind, part in (("weights", slice(count)), ("statistics", slice(count, None))):
            if theirs[part]:
                difference, way = _distance(own[part], theirs[part]), _distance(theirs[part], start[part])
                shares = np.where(difference > 0, np.inf, 0.0)
                np.divide(difference, way, out=shares, where=way > 0)
                found[f"{network} {kind}"] = float(np.max(shares))
    return found


def _distance(left: list[np.ndarray], right: list[np.ndarray]) -> np.ndarray:
    """The Euclidean distance over all arrays, one value a seed."""
    squares = [
        np.sum(np.square(a.astype(np.float64) - b).reshape(len(a), -1), axis=1)
        for a, b in zip(left, right, strict=True)
    ]
    return np.sqrt(np.sum(squares, axis=0))
