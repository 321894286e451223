import json

import faces
import numpy as np
import pytest

from ganjax.datasets.avatars import LABEL_NAMES
from ganjax.evaluation import attribute_classifier
from ganjax.evaluation.attribute_classifier import as_columns, avatar_classifier
from ganjax.evaluation.classifier import Trained
from ganjax.system.errors import UserError


@pytest.fixture
def cache(classifier, base, tmp_path):
    """A cache folder for this test alone, with the classifier in it."""
    (tmp_path / "classifiers").mkdir()
    for file in (base / "cache" / "classifiers").iterdir():
        (tmp_path / "classifiers" / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.fixture
def no_training(monkeypatch):
    def train(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(attribute_classifier, "train", train)


def test_what_is_read(classifier):
    images = faces.faces(1, 30).images
    reading = classifier.read(images)
    assert reading.labels.shape == reading.confidences.shape == (30, len(LABEL_NAMES))
    assert reading.features.shape == (30, faces.RECIPE.features)
    assert (reading.labels.dtype, reading.confidences.dtype) == (np.int32, np.float32)
    counts = [len(names) for names in LABEL_NAMES.values()]
    assert (reading.labels >= -1).all()
    assert (reading.labels < counts).all()
    assert (reading.confidences <= 1).all()
    assert (reading.confidences >= 1 / np.array(counts)).all()
    hats = list(LABEL_NAMES).index("hat_color")
    assert (reading.labels[:, hats] == -1).any()  # most wear none


def test_pictures_of_another_size_are_refused(classifier):
    with pytest.raises(ValueError, match="reads 32 x 32 pictures"):
        classifier.read(np.zeros((2, 64, 64, 3), np.uint8))


def test_true_labels_are_minus_one_where_they_are_not_visible():
    labels = {name: np.zeros(2, np.int32) for name in LABEL_NAMES}
    labels["hair"][:] = [LABEL_NAMES["hair"].index("hat"), LABEL_NAMES["hair"].index("bob")]
    columns = as_columns(labels)
    names = list(LABEL_NAMES)
    assert columns[:, names.index("hat_color")].tolist() == [0, -1]
    assert columns[:, names.index("hair_color")].tolist() == [-1, 0]


def test_a_cached_classifier_is_not_trained_again(classifier, cache, no_training):
    again = avatar_classifier(faces.RECIPE, str(cache))
    assert (again.accuracy, again.sha256) == (classifier.accuracy, classifier.sha256)
    images = faces.faces(1, 8).images
    for a, b in zip(again.read(images), classifier.read(images), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("damage", ["model", "about", "missing"])
def test_a_damaged_classifier_is_trained_again_and_this_is_reported(
    damage, classifier, cache, monkeypatch, capsys
):
    trained = []

    def train(recipe, progress):
        trained.append(recipe)
        return Trained(classifier.model, classifier.accuracy)

    monkeypatch.setattr(attribute_classifier, "train", train)
    (path,) = (cache / "classifiers").glob("*.keras")
    about = path.with_suffix(".json")
    if damage == "model":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "about":
        about.write_text(json.dumps({"schema": 1}))
    else:
        about.unlink()
    found = avatar_classifier(faces.RECIPE, str(cache), progress=True)
    assert trained == [faces.RECIPE]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "training it again" in said
    assert path.name in said
    assert found.sha256 == classifier.sha256  # equal models are equal files
    avatar_classifier(faces.RECIPE, str(cache))
    assert len(trained) == 1


def test_another_recipe_is_another_file(classifier, cache, monkeypatch):
    monkeypatch.setattr(
        attribute_classifier, "train", lambda *_: Trained(classifier.model, classifier.accuracy)
    )
    avatar_classifier(faces.Recipe(**{**vars(faces.RECIPE), "seed": 1}), str(cache))
    assert len(list((cache / "classifiers").glob("avatars-32-*.keras"))) == 2


def test_the_error_names_a_cache_that_cannot_be_written(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(
        attribute_classifier, "train", lambda *_: Trained(classifier.model, classifier.accuracy)
    )
    (tmp_path / "classifiers").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write the cache folder .*classifiers"):
        avatar_classifier(faces.RECIPE, str(tmp_path))
