"""Which labels of a rendered face can be seen in its picture.

A face is drawn from one value of every attribute, but not every value reaches the picture: a hijab lies over
the clothes, a visor over the eyes. Nobody can read off what is hidden, so it is neither learnt nor scored.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ganjax.datasets.avatars import HATS, LABEL_NAMES

HAT_NAMES = tuple(hat.name for hat in HATS)


def visible(labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Whether each label shows: where it does not, another value would give the same picture.

    Args:
        labels: attribute -> integer (n,), indices into `LABEL_NAMES`; all attributes of the avatars.

    Returns:
        attribute -> bool (n,).
    """
    hatted = _is_one_of(labels, "hair", *HAT_NAMES)
    bald = _is_one_of(labels, "hair", "none")
    bearded = ~_is_one_of(labels, "facial_hair", "none")
    veiled = _is_one_of(labels, "hair", "hijab")
    shows = {attribute: np.ones(len(values), bool) for attribute, values in labels.items()}
    shows["hair_color"] = ~(hatted | bald) | bearded  # a beard has the hair's colour
    shows["hat_color"] = hatted
    shows["eyes"] = ~_is_one_of(labels, "accessory", "kurt")  # other glasses, dark or not, let them through
    shows["clothing"] = shows["clothing_color"] = ~veiled
    return shows


def _is_one_of(labels: Mapping[str, np.ndarray], attribute: str, *names: str) -> np.ndarray:
    return np.isin(labels[attribute], [LABEL_NAMES[attribute].index(name) for name in names])
