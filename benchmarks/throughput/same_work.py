"""Whether two paths do the same work: the same steps from the same weights, with the same batches and
latents.

After `work.CHECKED_STEPS` steps, a path writes `losses`, those of G and D at every step, `(seeds, steps, 2)`,
and all variables of both networks and of the averaged generator, `"generator/0"` and so on, each with a
leading axis of seeds. Two paths agree if

- every loss of every step is the same within a relative tolerance, and
- for every network and seed |w - w'| <= tolerance |w' - w_0|, in the Euclidean norm over all its trained
variables,
  and also over all its statistics: the difference of the results relative to the distance trained.

Single weights are not compared, because Adam divides each gradient by its own size. If a gradient is near
zero, rounding decides its sign, and the first steps move the weight by the learning rate in one direction or
the other. Such weights differ by a whole step, although this hardly changes what the networks compute.

In deep networks, the change is not small enough. Together with leaky ReLUs whose input is so near zero that
rounding decides its sign, such weights make two runs differ from the second step on, and differences grow.
Therefore the effect of rounding alone is measured: the reference is trained once more from weights that are
perturbed by as much as rounding changes a layer's output (`work.ROUNDING`). If `NOISE` times the resulting
difference is larger than the tolerance, it is used instead. For the first step, and for almost all steps of
multilayer perceptrons, the tolerance is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks.throughput.work import listed

NOISE = 10.0

Arrays = Mapping[str, np.ndarray]


class Tolerances(NamedTuple):
    """Largest relative differences of losses, and of weights relative to the distance trained."""

    losses: float
    weights: float


TOLERANCES = {
    "float32": Tolerances(1e-4, 1e-3),
    "tf32": Tolerances(1e-2, 0.1),
    "bfloat16": Tolerances(3e-2, 0.3),
}


class Checked(NamedTuple):
    """The data for all comparisons of a workload.

    Attributes:
        reference: the results of the path with which the others are compared.
        perturbed: its results from perturbed weights.
        initial: the initial weights.
        trained: network -> number of trained variables, which come first.
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
        `largest_weight_difference` with their tolerances; the differences from rounding alone,
        `rounding_loss_difference` and `rounding_weight_difference`; and `strict_steps`, the number of steps
        for which the tolerance was used.
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
            reasons.append(f"{name} differ by {difference:.1e} of the distance trained, more than {most:.1e}")
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
    """For each step, the largest relative difference of both losses and all seeds."""
    theirs = reference["losses"]
    return np.max(np.abs(ours["losses"] - theirs) / np.abs(theirs), axis=(0, 2))


def weight_differences(ours: Arrays, checked: Checked) -> dict[str, float]:
    """The largest |w - w'| / |w' - w_0| over all seeds, for the trained weights and the statistics of each
    network.

    If the reference has not changed, 0 if the other has not changed either, else infinity.
    """
    found = {}
    for network, count in checked.trained.items():
        own, reference, initial = (
            listed(arrays, network) for arrays in (ours, checked.reference, checked.initial)
        )
        for kind, part in (("weights", slice(count)), ("statistics", slice(count, None))):
            if reference[part]:
                difference = _distance(own[part], reference[part])
                trained = _distance(reference[part], initial[part])
                relative = np.where(difference > 0, np.inf, 0.0)
                np.divide(difference, trained, out=relative, where=trained > 0)
                found[f"{network} {kind}"] = float(np.max(relative))
    return found


def _distance(left: list[np.ndarray], right: list[np.ndarray]) -> np.ndarray:
    """The Euclidean distance over all arrays, one value for each seed."""
    squares = [
        np.sum(np.square(a.astype(np.float64) - b).reshape(len(a), -1), axis=1)
        for a, b in zip(left, right, strict=True)
    ]
    return np.sqrt(np.sum(squares, axis=0))
