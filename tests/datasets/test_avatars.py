"""Faces depend only on the seed and their index, and match their labels."""

import random
import subprocess
import sys

import numpy as np
import pytest

from ganjax.datasets import avatars
from ganjax.datasets.avatars import ATTRIBUTES, LABEL_NAMES, choose_parts


def test_same_seed_same_bytes_other_seed_other_faces():
    a, b = (avatars.render_avatars(3, 6, 16) for _ in range(2))
    np.testing.assert_array_equal(a.images, b.images)
    assert a.fingerprint == b.fingerprint
    assert a.images.shape == (6, 16, 16, 3)
    assert a.images.dtype == np.uint8
    assert avatars.render_avatars(4, 6, 16).fingerprint != a.fingerprint


def test_a_larger_set_begins_with_the_smaller():
    small, large = avatars.render_avatars(0, 4, 16), avatars.render_avatars(0, 9, 16)
    np.testing.assert_array_equal(large.images[:4], small.images)
    for attribute in ATTRIBUTES:
        np.testing.assert_array_equal(large.labels[attribute][:4], small.labels[attribute])


def test_global_random_states_are_not_used_or_changed():
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    a = avatars.render_avatars(0, 3, 16)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    random.seed(2)
    np.testing.assert_array_equal(a.images, avatars.render_avatars(0, 3, 16).images)


def test_the_choices_of_a_seed_never_change():
    # If this fails, all cached and published sets would be different ones.
    labels = choose_parts(0, 3)
    got = {k: [LABEL_NAMES[k][i] for i in v] for k, v in labels.items()}
    assert got["hair"] == ["elvis", "elvis", "elvis"]
    assert got["skin_color"] == ["pale", "brown", "dark_brown"]
    assert got["hair_color"] == ["black", "pastel_pink", "blonde"]


def test_labels_have_their_weights_and_beards_suit_the_hair():
    n = 20_000
    labels = choose_parts(1, n)
    for attribute, choices in ATTRIBUTES.items():
        assert labels[attribute].dtype == np.int32
        share = np.bincount(labels[attribute], minlength=len(choices)) / n
        weight = np.array([c.weight for c in choices])
        if attribute != "facial_hair":
            np.testing.assert_allclose(share, weight / weight.sum(), atol=0.015)
    bearded = labels["facial_hair"] > 0
    assert 0.1 < bearded.mean() < 0.4
    for hair in np.unique(labels["hair"][bearded]):
        assert LABEL_NAMES["hair"][hair] not in {"bob", "hijab", "bun", "curly"}


def test_labels_match_the_pictures():
    s = avatars.render_avatars(0, 200, 16)
    names = LABEL_NAMES["skin_color"]
    cheek = s.images[:, 9, 6:10].mean(axis=(1, 2))  # below the nose: skin, beard or mouth
    dark = s.labels["skin_color"] == names.index("black")
    pale = s.labels["skin_color"] == names.index("pale")
    bare = s.labels["facial_hair"] == 0
    assert cheek[dark & bare].max() < cheek[pale & bare].min()
    assert len(np.unique(s.images.reshape(200, -1), axis=0)) == 200


def test_a_loaded_set_is_cached(tmp_path, monkeypatch):
    first = avatars.load_avatars(5, 16, seed=2, cache_dir=tmp_path, progress=False)
    monkeypatch.setattr(avatars, "_faces", None)  # rendering would fail now
    again = avatars.load_avatars(5, 16, seed=2, cache_dir=tmp_path, progress=False)
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.labels["eyes"], first.labels["eyes"])
    assert again.label_names == LABEL_NAMES
    assert again.path.parent == tmp_path
    assert (again.name, again.skipped) == ("avatars", ())


def test_faces_can_be_loaded_by_a_program_from_standard_input(tmp_path):
    program = f"""
from ganjax.datasets.avatars import load_avatars
print(load_avatars(2, 8, cache_dir={str(tmp_path)!r}).fingerprint)
"""
    run = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == avatars.render_avatars(0, 2, 8).fingerprint
    assert run.stderr == ""  # no progress bar without a terminal


@pytest.mark.parametrize("bad", [{"n": 0}, {"size": 0}, {"seed": -1}])
def test_wrong_arguments_are_refused(bad, tmp_path):
    with pytest.raises(ValueError, match=next(iter(bad))):
        avatars.load_avatars(**{"n": 1, "size": 8, "cache_dir": tmp_path, **bad})
