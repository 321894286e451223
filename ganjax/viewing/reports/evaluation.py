"""What `ganjax evaluate` found, as a page shows it: what is missing or odd as a dash, or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ganjax.viewing.reports.folder import mapping, mappings, number, text


@dataclasses.dataclass(frozen=True)
class Score:
    """One measure.

    Attributes:
        name, label, about: what it is: in one word, a few and a sentence.
        value: of the run's samples.
        floor: of as many real pictures that were held out.
        better: in which direction it is better.
    """

    name: str
    label: str
    about: str
    value: float | None
    floor: float | None
    better: str


@dataclasses.dataclass(frozen=True)
class Attribute:
    """One part of the faces.

    Attributes:
        name: of the part.
        entropy, entropy_real: of its values in the samples and in the data.
        values: each value's name, its share of the samples, and of the data.
    """

    name: str
    entropy: float | None
    entropy_real: float | None
    values: Sequence[tuple[str, float | None, float | None]]


@dataclasses.dataclass(frozen=True)
class Judged:
    """An evaluation.

    Attributes:
        n, seed: how many samples, and of which seed; as text.
        scores: of them.
        attributes: the parts of their faces.
        note: on the real pictures it was compared with.
        accuracy: share of held-out faces whose part the classifier reads rightly, by part.
    """

    n: str
    seed: str
    note: str
    scores: Sequence[Score]
    attributes: Sequence[Attribute]
    accuracy: Mapping[str, float]


def judged(found: Mapping[str, Any]) -> Judged | None:
    """What evaluation.json says; None where there is none."""
    if not found:
        return None
    accuracy = mapping(mapping(found.get("classifier")).get("accuracy"))
    return Judged(
        n=str(found.get("n", "–")),
        seed=str(found.get("seed", "–")),
        note=text(found.get("note")),
        scores=[_score(each) for each in mappings(found.get("scores"))],
        attributes=[_attribute(each) for each in mappings(found.get("attributes"))],
        accuracy={str(name): value for name, value in accuracy.items() if number(value) is not None},
    )


def _score(found: Mapping[str, Any]) -> Score:
    name, features = text(found.get("name")), text(found.get("features"))
    about = " ".join(filter(None, [text(found.get("about")), features and f"By {features}."]))
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
