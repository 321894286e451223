"""Scores of samples, each with what real samples get.

The score of a perfect generator is not 0 or 1 for a finite number of samples. So the same number of held-out
real pictures is scored in the same way; in code and files this value is called the score's floor.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from ganjax import metrics
from ganjax.datasets.avatars import LABEL_NAMES
from ganjax.evaluation.attribute_classifier import Reading

COUNTS = [len(names) for names in LABEL_NAMES.values()]

COMMON = 0.02  # a value is common when at least this share of the real faces has it
ENOUGH = 0.25  # and it is produced when at least this fraction of that share of the samples has it
CONFIDENT = 0.5  # a face is read with confidence when every label has at least this probability
READ_PARTS = "parts read by the avatar classifier"

PIXEL_PICTURES = 2048  # at most so many pictures are compared by their pixels: more would take minutes

Better = Literal["lower", "higher", "equal"]


@dataclasses.dataclass(frozen=True)
class Score:
    """One score, and what a perfect generator would get.

    Attributes:
        name: its name in files.
        label: its name in tables.
        value: the score of the samples.
        floor: the score of the same number of held-out real samples; NaN where there are none.
        better: which direction is better; "equal" where a value equal to the floor is best.
        about: what it means, in one sentence.
        features: what it is computed from.
        floor_deviation: standard deviation of the floor between sets of real samples; NaN where only one set
            was scored.
    """

    name: str
    label: str
    value: float
    floor: float
    better: Better
    about: str
    features: str
    floor_deviation: float = math.nan


class Sets(NamedTuple):
    """The same kind of data (features, labels or pixels) of three sets of pictures.

    Attributes:
        reference: of real pictures.
        samples: of n generated ones.
        held_out: of n other real pictures.
    """

    reference: np.ndarray
    samples: np.ndarray
    held_out: np.ndarray

    def both(self, score: Callable[[np.ndarray, np.ndarray], Any]) -> tuple[Any, Any]:
        """`score(reference, samples)`, and `score(reference, held_out)`: what real samples get."""
        return score(self.reference, self.samples), score(self.reference, self.held_out)


def feature_scores(sets: Sets, suffix: str, features: str, key: jax.Array) -> Iterator[Score]:
    """Distances, precision and recall, density and coverage in a feature space.

    Args:
        sets: the features, float (n, d) each.
        suffix: ends the scores' names and says which features these are.
        features: the same in words.
        key: PRNG key that draws the subsets of the kernel distance.
    """
    value, floor = sets.both(metrics.frechet_distance)
    about = "How far the samples' features are from real ones, if both are taken to be Gaussian."
    yield Score(f"frechet_distance_{suffix}", "Frechet distance", value, floor, "lower", about, features)
    value, floor = sets.both(lambda a, b: metrics.kernel_distance(a, b, key=key).mean)
    about = "How far the samples' features are from real ones, by a cubic kernel; real ones get 0 on average."
    yield Score(f"kernel_distance_{suffix}", "kernel distance", value, floor, "lower", about, features)
    value, floor = sets.both(metrics.precision_recall)
    about = "Share of the samples that are as close to a real picture as its nearest real neighbours are."
    yield Score(
        f"precision_{suffix}", "precision", value.precision, floor.precision, "higher", about, features
    )
    about = "Share of the real pictures that are as close to a sample as its nearest other samples are."
    yield Score(f"recall_{suffix}", "recall", value.recall, floor.recall, "higher", about, features)
    value, floor = sets.both(metrics.density_coverage)
    about = "How dense the samples are where real pictures are; real ones get 1 on average."
    yield Score(f"density_{suffix}", "density", value.density, floor.density, "higher", about, features)
    about = "Share of the real pictures with a sample among their nearest neighbours."
    yield Score(f"coverage_{suffix}", "coverage", value.coverage, floor.coverage, "higher", about, features)


def attribute_scores(reference: np.ndarray, samples: Reading, held_out: Reading) -> Iterator[Score]:
    """Scores of the parts that the samples' faces have.

    Args:
        reference: labels of real faces, (m, attributes), -1 where they are not visible.
        samples: what the classifier reads in the samples.
        held_out: what it reads in the same number of held-out real faces.
    """
    labels = Sets(reference, samples.labels, held_out.labels)

    def score(name: str, label: str, both: tuple[Any, Any], better: Any, about: str) -> Score:
        return Score(name, label, float(both[0]), float(both[1]), better, about, READ_PARTS)

    yield score(
        "share_of_values_produced",
        "attribute values produced",
        labels.both(lambda a, b: metrics.share_produced(a, b, COUNTS, COMMON, ENOUGH)),
        "higher",
        f"Share of the common values (those of at least {COMMON:.0%} of the real faces) that are at least "
        f"{ENOUGH:g} times as frequent in the samples.",
    )
    yield score(
        "distinct_combinations",
        "distinct combinations",
        labels.both(lambda _, b: metrics.distinct_combinations(b)),
        "higher",
        "Number of different combinations of all parts.",
    )
    yield score(
        "entropy_of_attributes",
        "entropy of attributes",
        labels.both(lambda _, b: metrics.entropies(b, COUNTS).sum()),
        "higher",
        "Entropy of each attribute's values in bits, summed over the attributes: how varied they are.",
    )
    yield score(
        "variation_of_attributes",
        "wrong shares of values",
        labels.both(lambda a, b: metrics.total_variation(a, b, COUNTS).mean()),
        "lower",
        "Share of the samples that would have to change an attribute's value to make all its values as "
        "frequent as in real faces, averaged over the attributes.",
    )
    yield score(
        "share_of_confident_faces",
        "confident faces",
        (_confident(samples), _confident(held_out)),
        "higher",
        f"Share of the faces in which every part is read with at least {CONFIDENT:.0%} confidence.",
    )


def _confident(reading: Reading) -> float:
    return metrics.share_confident(reading.confidences, CONFIDENT, reading.labels >= 0)


def attribute_tables(reference: np.ndarray, samples: np.ndarray) -> list[dict[str, Any]]:
    """For each attribute, its entropy in bits and the share of each value, in samples and in real faces.

    Args:
        reference: labels of real faces, (m, attributes), -1 where they are not visible.
        samples: labels of the samples, likewise.
    """
    entropy, entropy_real = metrics.entropies(samples, COUNTS), metrics.entropies(reference, COUNTS)
    tables = []
    for column, (attribute, names) in enumerate(LABEL_NAMES.items()):
        share, share_real = (_shares(labels[:, column], len(names)) for labels in (samples, reference))
        values = zip(names, share.tolist(), share_real.tolist(), strict=True)
        tables.append(
            {
                "name": attribute,
                "entropy": float(entropy[column]),
                "entropy_real": float(entropy_real[column]),
                "values": [{"name": name, "share": a, "share_real": b} for name, a, b in values],
            }
        )
    return tables


def _shares(labels: np.ndarray, count: int) -> np.ndarray:
    visible = labels[labels >= 0]
    return np.bincount(visible, minlength=count) / max(len(visible), 1)


def agreement(requested: Mapping[str, np.ndarray], reading: Reading) -> dict[str, float]:
    """Attribute -> share of the samples that have the requested value, among those where it is visible.

    Args:
        requested: attribute -> the labels that were given to the generator, integers (n,).
        reading: what the classifier reads in the samples.
    """
    shares = {}
    for attribute, labels in requested.items():
        found = reading.labels[:, list(LABEL_NAMES).index(attribute)]
        visible = found >= 0
        shares[attribute] = float((found == labels)[visible].mean()) if visible.any() else float("nan")
    return shares


def agreement_scores(
    requested: Mapping[str, np.ndarray],
    reading: Reading,
    real_labels: Mapping[str, np.ndarray],
    real_reading: Reading,
) -> Iterator[Score]:
    """For a conditional run: how often samples have the requested parts, one score for each attribute.

    Args:
        requested: attribute -> the labels that were given to the generator, integers (n,).
        reading: what the classifier reads in the samples.
        real_labels: labels of real faces.
        real_reading: what the classifier reads in these faces; the floor is how often that is right.
    """
    floor = agreement({attribute: real_labels[attribute] for attribute in requested}, real_reading)
    for attribute, share in agreement(requested, reading).items():
        yield Score(
            f"agreement_{attribute}",
            f"{attribute} as requested",
            share,
            floor[attribute],
            "higher",
            f"Share of the samples that have the requested {attribute}, where it is visible.",
            READ_PARTS,
        )


def pyramid_scores(pictures: Sets, key: jax.Array) -> Iterator[Score]:
    """Sliced Wasserstein distances at every level of a Laplacian pyramid.

    Args:
        pictures: uint8 (n, size, size, 3) each, size a power of two of at least 16. As many are compared as
            the smallest set has, and at most `PIXEL_PICTURES`.
        key: PRNG key that draws patches and directions.
    """
    count = min(PIXEL_PICTURES, *map(len, pictures))
    few = Sets(*(images[:count] for images in pictures))
    value, floor = few.both(lambda a, b: metrics.sliced_wasserstein(a, b, key=key))
    for level in value:
        about = f"How far patches of 7 x 7 pixels at the {level}-pixel level of a pyramid are from real ones."
        yield Score(
            f"sliced_wasserstein_{level}",
            f"sliced Wasserstein, {level} px",
            value[level],
            floor[level],
            "lower",
            about,
            f"Laplacian pyramid of {count} pictures",
        )


def memorisation_scores(
    samples: np.ndarray, training: np.ndarray, fresh: tuple[np.ndarray, np.ndarray], unseen: bool
) -> Iterator[Score]:
    """Whether samples are closer to training pictures than other real pictures are, by their pixels.

    Args:
        samples: uint8 (n, size, size, 3). As many are compared as there are fresh pictures, and at most
            `PIXEL_PICTURES`.
        training: the pictures that the run was trained on, or part of them, uint8 (m, size, size, 3).
        fresh: two sets of other real pictures: samples are compared with the first; the second takes the
            place of the samples for the floor.
        unseen: whether the run was not trained on `fresh`. If it was, copies of those pictures would not be
            closer to `training`, so `share_preferring_training` is left out.
    """
    count = min(PIXEL_PICTURES, len(samples), *map(len, fresh))
    samples, known, others = samples[:count], fresh[0][:count], fresh[1][:count]
    value = metrics.memorisation(samples, training, known)
    floor = metrics.memorisation(others, training, known)
    features = f"pixels of {count} samples and {len(training)} training pictures"

    def score(name: str, label: str, both: tuple[float, float], better: Any, about: str) -> Score:
        return Score(name, label, *both, better, about, features)

    yield score(
        "share_near_training",
        "near copies of training pictures",
        (value.share_closer, floor.share_closer),
        "lower",
        "Share of the samples as close to a training picture as the closest 1 % of other real pictures.",
    )
    yield score(
        "nearness_to_training",
        "distance to training, z",
        (value.z, floor.z),
        "higher",
        "Mann-Whitney z of the distances to the nearest training picture, of samples against other real "
        "pictures: a value far below 0 means copies or blurred samples.",
    )
    if unseen:
        yield score(
            "share_preferring_training",
            "closer to training than to fresh pictures",
            (value.share_prefers_training, floor.share_prefers_training),
            "lower",
            "Share of the samples closer to a training picture than to any fresh one: more than real samples "
            "get means that training pictures were memorised.",
        )
