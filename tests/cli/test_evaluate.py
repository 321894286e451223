import math

import pytest
import runs

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
        "2 runs        score     +-  floor  better",
        "the distance      2  1.414    0.5   lower",
    ]
    assert lines[-2:] == [f"{run}: report.html, evaluation.json, evaluation/n.png" for run in "ab"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name at least one run"),
        (("nowhere",), "there is no run in nowhere"),
        (("nowhere", "--n", "5"), "--n must be a whole number in [32, 100000], got 5"),
    ],
)
def test_mistakes_are_said_in_one_line(words, said, capsys):
    assert runs.ended("evaluate", *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert runs.one_line(error)


def test_runs_on_points_are_refused(dots, monkeypatch, capsys):
    monkeypatch.setattr("ganjax.experiments.restoring.EXPERIMENTS", {"dots": runs.Dots})
    assert runs.ended("evaluate", dots.path, "--quiet") == 2
    error = capsys.readouterr().err
    assert "makes points, not pictures" in error
    assert runs.one_line(error)


def test_every_run_is_scored_with_what_was_asked_for(dots, monkeypatch, capsys):
    asked, reports = [], []
    monkeypatch.setattr("ganjax.viewing.save_report", reports.append)

    def evaluate(folder, experiment, **options):
        asked.append((folder.path, experiment.name, options))
        return evaluation(str(folder.path), distance=1.0)

    monkeypatch.setattr("ganjax.experiments.restoring.EXPERIMENTS", {"dots": runs.Dots})
    monkeypatch.setattr("ganjax.evaluation.evaluate.evaluate", evaluate)
    assert runs.ended("evaluate", dots.path, dots.path, "--n", 64, "--seed", 3, "--quiet") == 0
    options = {"n": 64, "seed": 3, "inception": None, "quiet": True}
    assert asked == [(dots.path, "dots", options)] * 2
    assert reports == [dots.path] * 2
    assert "2 runs" in capsys.readouterr().out
