import json
import math

import pytest
import small_runs

from ganjax.cli.evaluate import table
from ganjax.evaluation.evaluate import Evaluation
from ganjax.evaluation.scores import Score


def evaluation(run, classifier=None, **values):
    scores = [
        Score(name, f"the {name}", value, 0.5, "lower", "About.", "pixels") for name, value in values.items()
    ]
    return Evaluation(run, "0", 100, 1, 2.0, classifier, scores, [], "A note.", "evaluation/n.png", {})


def test_a_table_of_one_run():
    lines = table([evaluation("runs/a", {"accuracy": {"hair": 0.964}}, distance=12.345678, z=math.nan)])
    assert lines[:3] == [
        "runs/a        score  floor  better",
        "the distance  12.35    0.5   lower",
        "the z             -    0.5   lower",
    ]
    assert "100 samples" in lines[3]
    assert "A note." in lines[3]
    assert "hair 96.4%" in lines[4]
    assert lines[5] == "runs/a: report.html, evaluation.json, evaluation/n.png"


def test_a_table_of_several_runs_shows_their_spread():
    lines = table([evaluation("a", distance=1.0), evaluation("b", distance=3.0)])
    assert lines[:2] == [
        "2 runs        score     +-  s.e.  floor  better",
        "the distance      2  1.414     1    0.5   lower",
    ]
    assert lines[-2:] == [f"{run}: report.html, evaluation.json, evaluation/n.png" for run in "ab"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name at least one run"),
        (("nowhere",), "there is no run in nowhere"),
        (("nowhere", "--n", "5"), "--n must be a whole number in [32, 1000000], got 5"),
    ],
)
def test_mistakes_are_reported_in_one_line(words, said, capsys):
    assert small_runs.ended("evaluate", *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert small_runs.one_line(error)


@pytest.fixture
def restored(dots, monkeypatch):
    """A run on points whose experiment can be found by its name."""
    monkeypatch.setattr("ganjax.experiments.registry.EXPERIMENTS", {"dots": small_runs.Dots})
    return dots


def test_a_run_on_points_is_scored_beside_perfect_samples(restored, capsys):
    assert small_runs.ended("evaluate", restored.path, "--n", 64, "--quiet") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-4:] == ["score", "floor", "+-", "better"]
    labels = [line.split("  ")[0] for line in lines]
    assert {"energy test, p", "MMD test, p", "sliced Wasserstein-1", "precision", "coverage"} <= set(labels)
    written = json.loads((restored.path / "evaluation.json").read_text())
    scores = {score["name"]: score for score in written["scores"]}
    assert scores["energy_p"]["floor"] == 0.5
    assert scores["coverage"]["floor_deviation"] > 0
    assert written["n"] == 64


def test_flags_for_pictures_are_refused_for_points(restored, tmp_path, capsys):
    assert small_runs.ended("evaluate", restored.path, "--inception", tmp_path / "weights.h5", "--quiet") == 2
    error = capsys.readouterr().err
    assert "--inception is for pictures" in error
    assert small_runs.one_line(error)


def test_every_run_is_scored_with_the_given_options(restored, monkeypatch, capsys):
    asked, reports = [], []
    monkeypatch.setattr("ganjax.viewing.save_report", reports.append)

    def evaluate(folder, experiment, **options):
        asked.append((folder.path, experiment.name, options))
        return evaluation(str(folder.path), distance=1.0)

    monkeypatch.setattr("ganjax.evaluation.evaluate.evaluate", evaluate)
    monkeypatch.setattr("ganjax.evaluation.point_runs.makes_points", lambda folder: False)
    words = ("evaluate", restored.path, restored.path, "--n", 64, "--seed", 3, "--quiet")
    assert small_runs.ended(*words) == 0
    options = {"n": 64, "seed": 3, "inception": None, "quiet": True}
    assert asked == [(restored.path, "dots", options)] * 2
    assert reports == [restored.path] * 2
    assert "2 runs" in capsys.readouterr().out
    assert small_runs.ended("evaluate", restored.path, "--n", 100_001, "--quiet") == 2
    assert "[32, 100000] for pictures" in capsys.readouterr().err
