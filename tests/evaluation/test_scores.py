"""Known answers: real samples get what other real samples get, and wrong ones get worse scores."""

import re

import faces
import jax
import numpy as np
import pytest

from ganjax.datasets.avatars import LABEL_NAMES, choose_parts
from ganjax.evaluation.attribute_classifier import Reading, as_columns
from ganjax.evaluation.scores import (
    Sets,
    agreement,
    agreement_scores,
    attribute_scores,
    attribute_tables,
    feature_scores,
    memorisation_scores,
    pyramid_scores,
)

N = 250


@pytest.fixture(scope="module")
def real(classifier):
    """Readings of two sets of real faces, and the true labels of the first."""
    reference, held_out = faces.faces(1002, N), faces.faces(1003, N)
    return (
        classifier.read(reference.images),
        classifier.read(held_out.images),
        as_columns(dict(reference.labels)),
    )


@pytest.fixture(scope="module")
def found(classifier, real):
    """`scores(images)`: name -> score of these pictures."""
    reference, held_out, truth = real

    def scores(images):
        samples = classifier.read(images)
        sets = Sets(reference.features, samples.features, held_out.features)
        each = [
            *attribute_scores(truth, samples, held_out),
            *feature_scores(sets, "x", "some features", jax.random.key(0)),
        ]
        return {score.name: score for score in each}

    return scores


@pytest.fixture(scope="module")
def fresh(found):
    """Scores of real faces that are in no other set."""
    return found(faces.faces(5, N).images)


def worse(score):
    """By how much a score is worse than what real samples get."""
    return score.value - score.floor if score.better == "lower" else score.floor - score.value


def test_fresh_real_faces_get_what_real_faces_get(fresh):
    for name, score in fresh.items():
        near = 0.1 * abs(score.floor) + 0.05
        assert score.value == pytest.approx(score.floor, abs=near), name


def test_noise_is_far_from_real_faces(found):
    scores = found(np.random.default_rng(0).integers(0, 256, (N, 32, 32, 3), np.uint8))
    assert scores["frechet_distance_x"].value > 10 * scores["frechet_distance_x"].floor
    assert worse(scores["kernel_distance_x"]) > 0.1
    for name in ("recall_x", "coverage_x"):
        assert worse(scores[name]) > 0.25, name
    assert worse(scores["share_of_values_produced"]) > 0
    assert worse(scores["variation_of_attributes"]) > 0.05


def test_one_repeated_face_has_no_variety(found):
    scores = found(faces.faces(5, 1).images.repeat(N, axis=0))
    assert scores["distinct_combinations"].value == 1
    assert scores["entropy_of_attributes"].value == 0
    assert scores["recall_x"].value == 0
    assert scores["share_of_values_produced"].value < 0.2
    assert worse(scores["frechet_distance_x"]) > 0


def perfect(labels):
    """What a perfect classifier would read."""
    columns = as_columns(dict(labels))
    return Reading(columns, np.ones(columns.shape, np.float32), np.zeros((len(columns), 2), np.float32))


def test_missing_halves_of_attributes_are_counted():
    reference, held_out, some = (choose_parts(seed, 2000) for seed in (1002, 1003, 5))
    whole = {s.name: s for s in attribute_scores(as_columns(reference), perfect(some), perfect(held_out))}
    half = {name: values // 2 for name, values in some.items()}
    lacking = {s.name: s for s in attribute_scores(as_columns(reference), perfect(half), perfect(held_out))}
    assert whole["share_of_values_produced"].value == whole["share_of_values_produced"].floor == 1
    assert lacking["share_of_values_produced"].value == pytest.approx(0.5, abs=0.1)
    assert worse(whole["entropy_of_attributes"]) == pytest.approx(0, abs=0.2)
    assert worse(lacking["entropy_of_attributes"]) > 8  # a bit for most of the twelve attributes
    assert worse(lacking["variation_of_attributes"]) > 0.25
    assert worse(lacking["distinct_combinations"]) > 0


def test_rare_values_by_mistake_are_not_produced():
    """A classifier makes mistakes: a value read in one of two thousand faces does not count as produced."""
    reference = as_columns(choose_parts(1002, 2000))
    few = {name: np.zeros(2000, np.int32) for name in LABEL_NAMES}
    once = {name: np.zeros(2000, np.int32) for name in LABEL_NAMES}
    for name, names in LABEL_NAMES.items():
        once[name][: len(names)] = np.arange(len(names))
    one, two = (next(attribute_scores(reference, perfect(labels), perfect(few))) for labels in (few, once))
    assert one.name == "share_of_values_produced"
    assert one.value == two.value


def test_names_directions_and_words(fresh):
    lower = {name for name, score in fresh.items() if score.better == "lower"}
    assert lower == {"frechet_distance_x", "kernel_distance_x", "variation_of_attributes"}
    for score in fresh.values():
        assert score.about.endswith(".")
        assert score.about.count("\n") == 0
        assert "fid" not in re.split("[^a-z]", f"{score.name} {score.label}".lower())
    assert fresh["recall_x"].features == "some features"


def test_tables_of_attributes():
    labels = as_columns({name: np.zeros(4, np.int32) for name in LABEL_NAMES})
    others = labels.copy()
    skin = list(LABEL_NAMES).index("skin_color")
    others[:, skin] = [0, 0, 0, 2]
    others[:, skin + 1] = -1
    tables = attribute_tables(labels, others)
    assert [table["name"] for table in tables] == list(LABEL_NAMES)
    values = {value["name"]: value for value in tables[skin]["values"]}
    assert values["pale"] == {"name": "pale", "share": 0.75, "share_real": 1.0}
    assert values["tanned"]["share"] == 0.25
    assert tables[skin]["entropy"] == pytest.approx(-(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)))
    assert tables[skin]["entropy_real"] == 0
    assert {value["share"] for value in tables[skin + 1]["values"]} == {0}


def test_agreement_counts_where_the_attribute_is_visible():
    names = list(LABEL_NAMES)
    labels = np.zeros((5, len(names)), np.int32)
    labels[:, names.index("hair")] = [3, 3, 1, 0, 3]
    labels[:, names.index("eyes")] = [2, -1, -1, 0, 0]
    labels[:, names.index("nose")] = -1
    reading = Reading(labels, np.ones((5, len(names)), np.float32), np.zeros((5, 2), np.float32))
    requested = {"hair": np.full(5, 3), "eyes": np.full(5, 2), "nose": np.zeros(5, int)}
    shares = agreement(requested, reading)
    assert shares["hair"] == 0.6
    assert shares["eyes"] == pytest.approx(1 / 3)
    assert np.isnan(shares["nose"])


def test_the_floor_of_agreement_is_the_accuracy_of_the_classifier():
    true = choose_parts(5, 400)
    others = {name: np.roll(values, 1) for name, values in true.items()}
    (hair,) = agreement_scores({"hair": true["hair"]}, perfect(others), true, perfect(true))
    assert (hair.name, hair.floor, hair.better) == ("agreement_hair", 1, "higher")
    assert hair.value == np.mean(true["hair"] == others["hair"])


def test_blurred_faces_differ_in_the_patches_with_details():
    reference, held_out, sharp = (faces.faces(seed, 128).images for seed in (1002, 1003, 5))
    soft = (sharp.astype(np.uint16) + np.roll(sharp, 1, axis=1) + np.roll(sharp, 1, axis=2)) // 3
    scores = list(pyramid_scores(Sets(reference, soft.astype(np.uint8), held_out), jax.random.key(0)))
    assert [score.name for score in scores] == ["sliced_wasserstein_32", "sliced_wasserstein_16"]
    assert scores[0].value > 1.5 * scores[0].floor
    alike = list(pyramid_scores(Sets(reference, sharp, held_out), jax.random.key(0)))
    assert alike[0].value == pytest.approx(alike[0].floor, rel=0.5)


def memorised(samples, unseen=True):
    training, *fresh = (faces.faces(seed, 128).images for seed in (0, 1002, 1003))
    return {score.name: score for score in memorisation_scores(samples, training, tuple(fresh), unseen)}


def test_copies_of_training_pictures_are_found():
    scores = memorised(faces.faces(0, 128).images)
    assert scores["share_near_training"].value == 1
    assert scores["nearness_to_training"].value < -10
    assert scores["share_preferring_training"].value > 0.99
    assert scores["share_near_training"].floor < 0.1
    assert abs(scores["nearness_to_training"].floor) < 4
    assert scores["share_preferring_training"].floor == pytest.approx(0.5, abs=0.2)


def test_fresh_faces_are_no_copies():
    scores = memorised(faces.faces(5, 128).images, unseen=False)
    assert scores.keys() == {"share_near_training", "nearness_to_training"}
    assert scores["share_near_training"].value < 0.1
    assert abs(scores["nearness_to_training"].value) < 4
