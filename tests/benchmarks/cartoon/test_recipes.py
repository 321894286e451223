"""The comparison of recipes: settings, scores and table, without training."""

import argparse
import csv

import numpy as np
import pytest

from benchmarks.cartoon import command, faces
from ganjax.datasets.avatars import LABEL_NAMES
from ganjax.evaluation.attribute_classifier import Reading
from ganjax.experiments import EXPERIMENTS
from ganjax.system.errors import UserError


def test_every_recipe_has_valid_settings():
    for settings in command.variants().values():
        settings = dict(settings)
        EXPERIMENTS[settings.pop("experiment", "cartoon")](**settings)


def test_each_family_has_all_variants():
    names = list(command.variants())
    for family in command.FAMILIES:
        ends = {name.removeprefix(family) for name in names if name.startswith(family)}
        assert {"", ", DiffAugment", ", BatchNorm in D", ", DiffAugment, BatchNorm in D"} <= ends
    assert len(set(map(str, command.variants().values()))) == len(names)


def test_each_run_has_its_own_folder(tmp_path):
    folders = {command._folder(tmp_path, name, seed) for name in command.variants() for seed in (0, 1)}
    assert len(folders) == 2 * len(command.variants())
    assert command._folder(tmp_path, "hinge + R1, DiffAugment", 2).name == "hinge-r1-diffaugment-seed-2"


@pytest.mark.parametrize("words", [["--seconds", "0"], ["--seeds", "0"], ["--n", "5"], ["--only", "WGAN"]])
def test_wrong_options_are_refused(words):
    with pytest.raises(UserError, match="--seconds must be more than 0"):
        command.main(words)


def row(seed, ema, value):
    scores = dict.fromkeys(faces.MEANINGS, value)
    return {"recipe": "plain", "seed": seed, "ema": ema, "ms_a_step": 40.4, "steps": 990, **scores}


def test_a_table_has_mean_and_spread(tmp_path, capsys):
    rows = [row(seed, ema, 10.0 * seed + ema) for seed in (1, 2, 3) for ema in (True, False)]
    command._write(tmp_path, rows, argparse.Namespace(seconds=40.0, seeds=3, n=2000))
    text = (tmp_path / "README.md").read_text()
    assert "python -m benchmarks recipes --seconds 40 --seeds 3 --n 2000" in text
    assert "| plain | yes | 40 | 990 | 21 ± 10 | 21 ± 10 | 21 ± 10 | 21 ± 10 |" in text
    assert "| plain | no | 40 | 990 | 20 ± 10 |" in text
    with (tmp_path / "recipes.csv").open() as file:
        assert [float(each["Frechet"]) for each in csv.DictReader(file)] == [11, 10, 21, 20, 31, 30]


class KnownScores(faces.Scores):
    """Scores against a thousand faces of the given labels, without a classifier."""

    def __init__(self, labels, features):
        self.labels = labels
        self.reference = self.real = reading(labels, features)


def reading(labels, features, confidence=0.9):
    return Reading(labels, np.full(labels.shape, confidence, np.float32), features)


def test_scores_of_known_faces():
    random = np.random.default_rng(0)
    sizes = [len(names) for names in LABEL_NAMES.values()]
    labels = np.stack([random.integers(0, size, 1000) for size in sizes], axis=1).astype(np.int32)
    features = random.normal(size=(1000, 4)).astype(np.float32)
    scores = KnownScores(labels, features)
    same = scores.of(reading(labels, features))
    assert same["Frechet"] == pytest.approx(0, abs=1e-6)
    assert [same[name] for name in list(faces.MEANINGS)[1:]] == [100, 100, 100]
    one = scores.of(reading(np.repeat(labels[:1], 1000, axis=0), np.repeat(features[:1], 1000, axis=0)))
    assert one["Frechet"] > 1
    assert one["combinations %"] == pytest.approx(0.1)
    assert one["values %"] < 30
    unsure = scores.of(reading(labels, features + 1, confidence=0.3))
    assert unsure["Frechet"] == pytest.approx(4, rel=1e-3)  # the means differ by (1, 1, 1, 1)
    assert unsure["values %"] == unsure["confident %"] == 0
