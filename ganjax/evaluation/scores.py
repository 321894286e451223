"""Scores of samples, each beside its floor: as many held-out real pictures, scored the same way."""

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

COMMON = 0.02  # a value that this share of the real faces has is a common one
ENOUGH = 0.25  # and it is produced when samples have it at least this often, relative to real faces
CONFIDENT = 0.5  # probability of every label of a confident face

PIXEL_PICTURES = 2048  # pixels of more pictures than this are not compared: it would take minutes


Better = Literal["lower", "higher", "equal"]


@dataclasses.dataclass(frozen=True)
class Score:
    """One number, and what it would be for a perfect generator.

    Attributes:
        name: in files.
        label: in tables.
        value: of the samples.
        floor: of held-out real pictures, as many; NaN where there are none to be had.
        better: which direction is better; "equal" where the floor is best.
        about: what it means, in one sentence.
        features: what it is computed from.
        floor_deviation: by how much the floor varies from one set of held-out samples to another, a standard
            deviation; NaN where only one is looked at.
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
    """One description, features or labels or pixels, of three sets of pictures.

    Attributes:
        reference: of real pictures.
        samples: of n generated ones.
        held_out: of n other real ones.
    """

    reference: np.ndarray
    samples: np.ndarray
    held_out: np.ndarray

    def both(self, score: Callable[[np.ndarray, np.ndarray], Any]) -> tuple[Any, Any]:
        """`score(reference, samples)`, and `score(reference, held_out)`, which is the floor."""
        return score(self.reference, self.samples), score(self.reference, self.held_out)


def feature_scores(sets: Sets, suffix: str, features: str, key: jax.Array) -> Iterator[Score]:
    """Distances and manifolds in some features, float (n, d).

    Args:
        sets: the features.
        suffix: of the scores' names: it says which features these are.
        features: the same in words.
        key: draws the subsets of the kernel distance.
    """
    value, floor = sets.both(metrics.frechet_distance)
    about = "How far the samples' features are from real ones, both taken for Gaussians."
    yield Score(f"frechet_distance_{suffix}", "Frechet distance", value, floor, "lower", about, features)
    value, floor = sets.both(lambda a, b: metrics.kernel_distance(a, b, key=key).mean)
    about = "How far the samples' features are from real ones by a cubic kernel; 0 on average for real ones."
    yield Score(f"kernel_distance_{suffix}", "kernel distance", value, floor, "lower", about, features)
    value, floor = sets.both(metrics.precision_recall)
    about = "Share of the samples that lie among real pictures."
    yield Score(
        f"precision_{suffix}", "precision", value.precision, floor.precision, "higher", about, features
    )
    about = "Share of the real pictures that lie among samples."
    yield Score(f"recall_{suffix}", "recall", value.recall, floor.recall, "higher", about, features)
    value, floor = sets.both(metrics.density_coverage)
    about = "How densely samples lie where real pictures are; 1 on average for real ones."
    yield Score(f"density_{suffix}", "density", value.density, floor.density, "higher", about, features)
    about = "Share of the real pictures that have a sample among their nearest neighbours."
    yield Score(f"coverage_{suffix}", "coverage", value.coverage, floor.coverage, "higher", about, features)


def attribute_scores(reference: np.ndarray, samples: Reading, held_out: Reading) -> Iterator[Score]:
    """Which parts the samples' faces have.

    Args:
        reference: labels of real faces, (m, attributes), -1 where they do not show.
        samples: what was read off the samples.
        held_out: what was read off as many held-out real faces.
    """
    labels, read = Sets(reference, samples.labels, held_out.labels), "parts read by the avatar classifier"

    def score(name: str, label: str, both: tuple[Any, Any], better: Any, about: str) -> Score:
        return Score(name, label, float(both[0]), float(both[1]), better, about, read)

    yield score(
        "share_of_values_produced",
        "attribute values produced",
        labels.both(lambda a, b: metrics.share_produced(a, b, COUNTS, COMMON, ENOUGH)),
        "higher",
        f"Share of the common values (in {COMMON:.0%} of the real faces) that samples have at least "
        f"{ENOUGH:g} times as often.",
    )
    yield score(
        "distinct_combinations",
        "distinct combinations",
        labels.both(lambda _, b: metrics.distinct_combinations(b)),
        "higher",
        "How many different combinations of all parts are found.",
    )
    yield score(
        "entropy_of_attributes",
        "entropy of attributes",
        labels.both(lambda _, b: metrics.entropies(b, COUNTS).sum()),
        "higher",
        "Variety of each attribute's values, in bits, summed over the attributes.",
    )
    yield score(
        "variation_of_attributes",
        "wrong shares of values",
        labels.both(lambda a, b: metrics.total_variation(a, b, COUNTS).mean()),
        "lower",
        "Share of the samples that would have to change a part for its values to be as frequent as in real "
        "faces, on average over the attributes.",
    )
    yield score(
        "share_of_confident_faces",
        "confident faces",
        (_confident(samples), _confident(held_out)),
        "higher",
        f"Share of the faces of which every part is read with at least {CONFIDENT:.0%} confidence.",
    )


def _confident(reading: Reading) -> float:
    return metrics.share_confident(reading.confidences, CONFIDENT, reading.labels >= 0)


def attribute_tables(reference: np.ndarray, samples: np.ndarray) -> list[dict[str, Any]]:
    """Of each attribute: its entropy in bits and the share of each value, in samples and in real faces.

    Args:
        reference: labels of real faces, (m, attributes), -1 where they do not show.
        samples: labels of the samples.
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
    shown = labels[labels >= 0]
    return np.bincount(shown, minlength=count) / max(len(shown), 1)


def agreement(asked: Mapping[str, np.ndarray], read: Reading) -> dict[str, float]:
    """Share of samples that have the part asked for, among those where that attribute shows.

    Args:
        asked: attribute -> the labels that the samples were asked for, integers (n,).
        read: what was read off the samples.
    """
    shares = {}
    for attribute, wanted in asked.items():
        found = read.labels[:, list(LABEL_NAMES).index(attribute)]
        shows = found >= 0
        shares[attribute] = float((found == wanted)[shows].mean()) if shows.any() else float("nan")
    return shares


def agreement_scores(
    asked: Mapping[str, np.ndarray], read: Reading, true: Mapping[str, np.ndarray], read_real: Reading
) -> Iterator[Score]:
    """Of a conditional run: how often samples have the parts asked for, an attribute a score.

    Args:
        asked: attribute -> the labels that the samples were asked for, integers (n,).
        read: what was read off the samples.
        true: labels of real faces.
        read_real: what was read off these: the floor is how often that is right.
    """
    floor = agreement({attribute: true[attribute] for attribute in asked}, read_real)
    for attribute, share in agreement(asked, read).items():
        yield Score(
            f"agreement_{attribute}",
            f"{attribute} as asked for",
            share,
            floor[attribute],
            "higher",
            f"Share of the samples whose {attribute} is the one asked for, where it shows.",
            "parts read by the avatar classifier",
        )


def pyramid_scores(pictures: Sets, key: jax.Array) -> Iterator[Score]:
    """Sliced Wasserstein distances of pixels, uint8 (n, size, size, 3), size a power of two from 16 on.

    As many pictures as the smallest set has, and at most `PIXEL_PICTURES`, are compared.
    """
    count = min(PIXEL_PICTURES, *map(len, pictures))
    few = Sets(*(images[:count] for images in pictures))
    value, floor = few.both(lambda a, b: metrics.sliced_wasserstein(a, b, key=key))
    for level in value:
        about = f"How far patches of 7 x 7 pixels of the {level}-pixel level are from real ones."
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
    """Whether samples are nearer to training pictures than other real pictures are, by the pixels.

    Args:
        samples: uint8 (n, size, size, 3). As many of them as of the fresh pictures are compared, and at most
            `PIXEL_PICTURES`.
        training: the pictures the run was trained on, or part of them, uint8 (m, size, size, 3).
        fresh: two sets of other real pictures: one to compare samples with, one to give the floor.
        unseen: whether the run has not seen these either. Where it has, copies of them do not prefer
            `training`, and the score that looks for that is left out.
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
        "Share of the samples as near to a training picture as the nearest 1 % of other real pictures are.",
    )
    yield score(
        "nearness_to_training",
        "distance to training, z",
        (value.z, floor.z),
        "higher",
        "Mann-Whitney's z of the distances to the nearest training picture, samples against other real "
        "pictures: far below 0, samples are copies or blurred.",
    )
    if unseen:
        yield score(
            "share_preferring_training",
            "nearer to training than to fresh",
            (value.share_prefers_training, floor.share_prefers_training),
            "lower",
            "Share of the samples nearer to a training picture than to any fresh one: above the floor, "
            "training pictures were memorised.",
        )
