import json
from types import SimpleNamespace

import faces
import numpy as np
import pytest
from PIL import Image

from ganjax.datasets.avatars import LABEL_NAMES, choose_parts
from ganjax.datasets.conditions import Condition
from ganjax.evaluation import evaluate as module
from ganjax.evaluation.evaluate import _nearest_few, _without_nan, draw, evaluate, save_neighbours, spread
from ganjax.evaluation.scores import Score
from ganjax.system.errors import UserError

N = 64


@pytest.fixture
def cached(classifier, base, monkeypatch):
    """`evaluate` gets the tiny classifier."""
    monkeypatch.setattr(module, "avatar_classifier", lambda *_, **__: classifier)
    return classifier


def test_an_untrained_generator_is_far_from_faces(run, cached, capsys):
    folder, experiment = run
    found = evaluate(folder, experiment, n=N)
    written = json.loads((folder.path / "evaluation.json").read_text())
    assert written == json.loads(json.dumps(found.to_json()))
    assert (written["schema"], written["run"], written["n"], written["seed"]) == (1, str(folder.path), N, 1)
    assert written["generator"] == folder.read_manifest()["models"]["generator.keras"]
    assert written["classifier"] == {"accuracy": cached.accuracy, "sha256": cached.sha256}
    scores = {score["name"]: score for score in written["scores"]}
    assert scores.keys() >= {
        "share_of_values_produced", "distinct_combinations", "frechet_distance_avatar_classifier",
        "kernel_distance_avatar_classifier", "precision_avatar_classifier", "recall_avatar_classifier",
        "density_avatar_classifier", "coverage_avatar_classifier", "sliced_wasserstein_32",
        "share_near_training", "nearness_to_training", "share_preferring_training",
    }  # fmt: skip
    for score in scores.values():
        assert score.keys() == {
            "name", "label", "value", "floor", "better", "about", "features", "floor_deviation",
        }  # fmt: skip
    distance = scores["frechet_distance_avatar_classifier"]
    assert distance["value"] > 5 * distance["floor"]
    assert len(written["attributes"]) == 12
    assert written["seconds"] > 0
    assert written["environment"]["versions"]["keras"]
    assert (folder.path / written["neighbours"]).read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr()
    assert said.out == ""
    assert f"drawing {N} samples" in said.err


def test_training_faces_fed_back_are_found(run, cached, monkeypatch, capsys):
    folder, experiment = run
    copies = faces.faces(0, 96).images[:N]
    monkeypatch.setattr(module, "draw", lambda *_: (copies, {}))
    found = evaluate(folder, experiment, n=N, quiet=True)
    scores = {score.name: score for score in found.scores}
    assert scores["share_near_training"].value == 1
    assert scores["share_preferring_training"].value > 0.99
    distance = scores["frechet_distance_avatar_classifier"]
    assert distance.value < 2 * distance.floor  # only the test of memorisation finds the copies
    assert capsys.readouterr().err == ""


def test_pictures_from_a_folder_are_halved(tmp_path, monkeypatch):
    folder, experiment = faces.run(tmp_path / "run", data="pictures")
    monkeypatch.setattr(module, "avatar_classifier", None)  # it is not used
    found = evaluate(folder, experiment, n=1000, seed=3, quiet=True)
    assert found.n == 48
    assert "all 96 real pictures" in found.note
    assert "48 samples" in found.note
    assert found.classifier is None
    assert found.attributes == []
    names = {score.name for score in found.scores}
    assert names >= {"sliced_wasserstein_32", "share_near_training"}
    assert "share_preferring_training" not in names


def test_other_pictures_than_the_run_was_trained_on_are_refused(run):
    folder, experiment = run
    manifest = folder.read_manifest()
    manifest["data"]["sha256"] = "0"
    folder.write_manifest(manifest)
    with pytest.raises(UserError, match="trained on other pictures"):
        evaluate(folder, experiment, n=N, quiet=True)
    assert not (folder.path / "evaluation.json").exists()


def test_samples_that_are_not_finite_are_refused():
    generator = SimpleNamespace(
        condition=None,
        draw_latents=lambda seed, n: np.zeros((n, 2), np.float32),
        decode=lambda latents, labels: np.full((len(latents), 8, 8, 3), np.nan, np.float32),
    )
    with pytest.raises(UserError, match="not finite"):
        draw(generator, 1, 4)  # type: ignore[arg-type]


def test_samples_are_drawn_in_blocks_as_bytes():
    generator = SimpleNamespace(
        condition=None,
        draw_latents=lambda seed, n: np.linspace(-1, 1, n, dtype=np.float32)[:, None],
        decode=lambda latents, labels: np.broadcast_to(latents[:, :, None, None], (len(latents), 2, 2, 3)),
    )
    samples, requested = draw(generator, 1, 1500)  # type: ignore[arg-type]
    assert requested == {}
    assert (samples.shape, samples.dtype) == ((1500, 2, 2, 3), np.uint8)
    assert np.array_equal(samples[:, 0, 0, 0], np.rint(np.linspace(0, 255, 1500)).astype(np.uint8))


def test_labels_of_a_conditional_run_are_drawn_from_its_data():
    condition = Condition.of("hair,glasses", choose_parts(0, 500), LABEL_NAMES)
    generator = SimpleNamespace(
        condition=condition,
        draw_latents=lambda seed, n: np.zeros((n, 2), np.float32),
        decode=lambda latents, labels: np.broadcast_to(
            labels.argmax(axis=1)[:, None, None, None] / np.float32(127.5) - 1, (len(latents), 2, 2, 3)
        ),
    )
    samples, requested = draw(generator, 1, 1200)  # type: ignore[arg-type]
    assert list(requested) == ["hair", "accessory"]
    np.testing.assert_array_equal(samples[:, 0, 0, 0], requested["hair"])
    assert len(set(requested["accessory"].tolist())) == len(LABEL_NAMES["accessory"])


def test_spread_over_runs():
    def scored(**values):
        scores = [Score(name, name, value, 1.0, "lower", "", "") for name, value in values.items()]
        return SimpleNamespace(scores=scores)

    (both,) = spread([scored(a=1.0, b=5.0), scored(a=3.0)])  # type: ignore[list-item]
    assert (both.score.name, both.mean, both.floor) == ("a", 2.0, 1.0)
    assert both.deviation == pytest.approx(np.sqrt(2))
    assert both.error == pytest.approx(1)
    (one,) = spread([scored(a=1.0)])  # type: ignore[list-item]
    assert np.isnan(one.deviation)


def test_what_is_not_a_number_is_null_in_the_file():
    assert _without_nan({"a": [1.0, float("nan")], "b": "nan"}) == {"a": [1.0, None], "b": "nan"}


def test_the_nearest_pictures_are_beside_their_sample(tmp_path):
    random = np.random.default_rng(0)
    training = random.integers(0, 256, (40, 16, 16, 3), np.uint8)
    samples = random.integers(0, 256, (20, 16, 16, 3), np.uint8)
    samples[7] = training[31]
    save_neighbours(tmp_path / "evaluation" / "neighbours.png", samples, training)
    with Image.open(tmp_path / "evaluation" / "neighbours.png") as image:
        sheet = np.asarray(image.convert("RGB"))
    cell = 16 * 8 + 2
    assert sheet.shape[0] > 12 * cell
    copy = samples[7].repeat(8, axis=0).repeat(8, axis=1)
    top = sheet.shape[0] - 12 * cell  # the first row: it is below the column labels
    left = sheet.shape[1] - 4 * cell
    for column in range(2):  # the sample, and the training picture it copies
        at = left + column * cell
        np.testing.assert_array_equal(sheet[top : top + 128, at : at + 128], copy)


def test_neighbours_are_in_the_order_of_their_distance():
    training = np.full((2000, 4, 4, 3), 255, np.uint8)
    training[[1500, 3, 700]] = np.array([0, 10, 20], np.uint8)[:, None, None, None]
    assert _nearest_few(np.zeros((4, 4, 3), np.uint8), training).tolist() == [1500, 3, 700]
