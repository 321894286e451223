"""Conditions: attributes of labels, as vectors and in words."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganjax.datasets import avatars
from ganjax.datasets.conditions import Condition
from ganjax.system.errors import UserError

LABELS = {"hair": np.array([0, 1, 1, 2]), "accessory": np.array([0, 0, 1, 0])}
NAMES = {"hair": ("none", "bob", "bun"), "accessory": ("none", "round")}


@pytest.fixture(scope="module")
def condition():
    return Condition.of("hair,glasses", LABELS, NAMES)


def test_labels_are_concatenated_one_hot_vectors(condition):
    assert condition.size == 5
    labels = condition.encode(LABELS)
    assert labels.dtype == np.float32
    np.testing.assert_array_equal(labels[3], [0, 0, 1, 1, 0])
    np.testing.assert_array_equal(labels.sum(axis=1), 2.0)


def test_shares_are_those_of_the_data(condition):
    assert condition.shares == {"hair": (0.25, 0.5, 0.25), "accessory": (0.75, 0.25)}
    drawn = condition.draw(0, 20_000)
    for name, share in condition.shares.items():
        assert drawn[name].dtype == np.int32
        np.testing.assert_allclose(np.bincount(drawn[name]) / 20_000, share, atol=0.02)
    np.testing.assert_array_equal(condition.draw(0, 5)["hair"], condition.draw(0, 5)["hair"])
    assert {name: values.tolist() for name, values in condition.usual(2).items()} == {
        "hair": [1, 1],
        "accessory": [0, 0],
    }


def test_a_condition_survives_in_a_manifest(condition):
    assert Condition.from_json(json.loads(json.dumps(condition.to_json()))) == condition


@pytest.mark.parametrize(
    "described",
    [
        {"hair": {"names": ["a"]}},
        {"hair": {"names": ["a"], "shares": []}},
        {"hair": {"names": [], "shares": []}},
        {"hair": 3},
    ],
)
def test_damaged_descriptions_are_refused(described):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Condition.from_json(described)


def test_parts_in_words(condition):
    assert condition.parse("hair=bun, glasses=round") == {"hair": 2, "accessory": 1}
    assert condition.parse("accessory=none") == {"accessory": 0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("hair", "ATTRIBUTE=VALUE"),
        ("hair=bub", "did you mean bun"),
        ("hat=none", "no attribute of this run 'hat'"),
        ("", "ATTRIBUTE=VALUE"),
        ("hair=", "no value of hair"),
    ],
)
def test_wrong_words_are_refused(condition, words, said):
    with pytest.raises(UserError, match=said):
        condition.parse(words)


@given(st.text(max_size=20))
@settings(max_examples=50, deadline=None)
def test_any_wrong_words_give_a_message_of_one_line(words):
    condition = Condition.of("hair", LABELS, NAMES)
    with pytest.raises(UserError) as error:  # a text without `=` is always wrong
        condition.parse(words.replace("=", ":"))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("asked", "names", "said"),
    [
        ("hair,hair", NAMES, "twice"),
        ("hare", NAMES, "did you mean hair"),
        ("hair", {}, "have no labels"),
    ],
)
def test_wrong_attributes_are_refused(asked, names, said):
    with pytest.raises(UserError, match=said):
        Condition.of(asked, LABELS, names)


def test_attributes_of_avatars_have_common_names():
    condition = Condition.of(
        "hair,glasses,clothes,skin,beard", avatars.choose_parts(0, 50), avatars.LABEL_NAMES
    )
    assert list(condition.names) == ["hair", "accessory", "clothing", "skin_color", "facial_hair"]
