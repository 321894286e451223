"""What is called hidden does not reach the picture, and what is called visible does."""

import numpy as np
import pytest

from ganjax.datasets import avatars
from ganjax.evaluation.classifier import visible

# Every rule needs its cases: a hat with a beard and without, a bald head, a hijab, a visor.
CASES = [
    {"hair": "turban", "facial_hair": "beard_light"},
    {"hair": "hat", "facial_hair": "none"},
    {"hair": "none", "facial_hair": "none"},
    {"hair": "none", "facial_hair": "moustache_fancy"},
    {"hair": "hijab", "facial_hair": "none", "accessory": "none"},
    {"accessory": "kurt"},
    {"accessory": "sunglasses"},
    {"hair": "bob"},
]
LABELS = avatars.choose_parts(7, len(CASES))
for row, case in enumerate(CASES):
    for attribute, name in case.items():
        LABELS[attribute][row] = avatars.LABEL_NAMES[attribute].index(name)


def picture(row, **changed):
    label = {name: int(values[row]) for name, values in LABELS.items()} | changed
    return avatars._face(label, 32).astype(np.int32)


@pytest.mark.parametrize("attribute", avatars.LABEL_NAMES)
def test_a_label_is_visible_where_another_value_gives_another_picture(attribute):
    shows = visible(LABELS)[attribute]
    assert shows.dtype == bool
    for row in range(len(CASES)):
        values = range(len(avatars.LABEL_NAMES[attribute]))
        pictures = np.stack([picture(row, **{attribute: value}) for value in values])
        differs = (np.abs(pictures - pictures[:1]).max(axis=3) > 4).sum(axis=(1, 2))
        assert (differs.max() > 1) == shows[row], (row, differs)  # 1: a rim of clothes below a hijab


def test_every_attribute_has_an_answer_for_every_face():
    shows = visible(LABELS)
    assert shows.keys() == avatars.LABEL_NAMES.keys()
    assert {len(each) for each in shows.values()} == {len(CASES)}
