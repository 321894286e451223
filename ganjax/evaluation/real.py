"""The real pictures that a run's samples are compared with, and those that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ganjax.datasets.avatars import render_avatars
from ganjax.system.errors import UserError

# Faces of these seeds are in no training set, of a run or of the classifier (see `classifier.Recipe`).
REFERENCE_SEED, HELD_OUT_SEED = 1002, 1003


class Real(NamedTuple):
    """Real pictures, uint8 (n, size, size, 3).

    Attributes:
        training: what the run was trained on; half of it where nothing was held out.
        reference: what samples are compared with.
        held_out: as many others, in neither `reference` nor `training`. They are compared with the reference
            too, which shows what scores real pictures get.
        fresh: two sets for the test of memorisation, neither with a picture of `training`.
        labels: of the reference, attribute -> int32 (n,); None where there are no labels.
        unseen: whether the run was trained on none of these pictures except `training`.
    """

    training: np.ndarray
    reference: np.ndarray
    held_out: np.ndarray
    fresh: tuple[np.ndarray, np.ndarray]
    labels: Mapping[str, np.ndarray] | None
    unseen: bool


def is_avatars(experiment: Any, described: Mapping[str, Any]) -> bool:
    """Whether a run's data are the faces that ganjax renders.

    Args:
        experiment: the experiment; its field `data`, if it has one, may name a folder instead.
        described: the data's entry in the run's manifest.
    """
    return described.get("name") == "avatars" and getattr(experiment, "data", None) in (None, "avatars")


def rendered(training: np.ndarray, n: int, progress: bool) -> Real:
    """For a run on avatars: n freshly rendered faces for each purpose, which it was not trained on."""
    size = training.shape[1]
    reference = render_avatars(REFERENCE_SEED, n, size, progress)
    held_out = render_avatars(HELD_OUT_SEED, n, size, progress)
    fresh = (reference.images, held_out.images)
    return Real(training, reference.images, held_out.images, fresh, reference.labels, unseen=True)


def halved(training: np.ndarray, n: int, seed: int) -> Real:
    """For a run that was trained on all available pictures: two random halves of them, at most n of each.

    Raises:
        UserError: there are fewer than 32 pictures.
    """
    if len(training) < 32:
        raise UserError(f"{len(training)} real pictures are too few to score samples against: 32 are needed")
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(training))
    middle = len(order) // 2
    first, second = training[order[:middle]], training[order[middle:]]
    quarter = len(second) // 2
    return Real(
        training=first,
        reference=first[:n],
        held_out=second[: min(n, len(first))],
        fresh=(second[:quarter], second[quarter:]),
        labels=None,
        unseen=False,
    )
