"""The contents of evaluation.json for a page. Values that are missing or of a wrong type become dashes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ganjax.viewing.reports.folder import mapping, mappings, number, text


@dataclasses.dataclass(frozen=True)
class Score:
    """One score, see `ganjax.evaluation.scores.Score`.

    Attributes:
        name, label, about: its name in files, its name in tables, and its meaning.
        value: that of the run's samples.
        floor: that of the same number of held-out real samples.
        better: which direction is better.
    """

    name: str
    label: str
    about: str
    value: float | None
    floor: float | None
    better: str


@dataclasses.dataclass(frozen=True)
class Attribute:
    """One attribute of the faces.

    Attributes:
        name: of the attribute.
        entropy, entropy_real: of its values in the samples and in the data, in bits.
        values: each value's name, its share of the samples, and its share of the data.
    """

    name: str
    entropy: float | None
    entropy_real: float | None
    values: Sequence[tuple[str, float | None, float | None]]


@dataclasses.dataclass(frozen=True)
class EvaluationTables:
    """The tables of an evaluation.

    Attributes:
        n, seed: number and seed of the samples, as text.
        note: on the real samples that they were compared with.
        scores: of the samples.
        attributes: of their faces.
        accuracy: attribute -> share of held-out faces on which the classifier is right.
    """

    n: str
    seed: str
    note: str
    scores: Sequence[Score]
    attributes: Sequence[Attribute]
    accuracy: Mapping[str, float]


def read_evaluation(found: Mapping[str, Any]) -> EvaluationTables | None:
    """The tables of `found`, the contents of evaluation.json; None if it is empty."""
    if not found:
        return None
    accuracy = mapping(mapping(found.get("classifier")).get("accuracy"))
    return EvaluationTables(
        n=str(found.get("n", "–")),
        seed=str(found.get("seed", "–")),
        note=text(found.get("note")),
        scores=[_score(each) for each in mappings(found.get("scores"))],
        attributes=[_attribute(each) for each in mappings(found.get("attributes"))],
        accuracy={str(name): value for name, value in accuracy.items() if number(value) is not None},
    )


def _score(found: Mapping[str, Any]) -> Score:
    name, features = text(found.get("name")), text(found.get("features"))
    about = " ".join(filter(None, [text(found.get("about")), features and f"Computed from {features}."]))
    return Score(
        name=name,
        label=text(found.get("label")) or name,
        about=about,
        value=number(found.get("value")),
        floor=number(found.get("floor")),
        better=text(found.get("better")) or "–",
    )


def _attribute(found: Mapping[str, Any]) -> Attribute:
    values = [
        (text(each.get("name")), number(each.get("share")), number(each.get("share_real")))
        for each in mappings(found.get("values"))
    ]
    entropies = number(found.get("entropy")), number(found.get("entropy_real"))
    return Attribute(text(found.get("name")), *entropies, values)
