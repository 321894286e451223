"""comparison.html and comparison.png: settings that differ, common settings, unique names."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganjax.system.errors import UserError
from ganjax.viewing import save_comparison
from ganjax.viewing.reports.comparison import names_of, scores_of, settings_of
from ganjax.viewing.reports.folder import read_run

from . import run_by_hand
from .page_reader import HOSTILE, Reader, words
from .run_by_hand import EVALUATION, MANIFEST


def other(**changes):
    return {**MANIFEST, "settings": MANIFEST["settings"] | changes}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    base = tmp_path_factory.mktemp("comparison")
    first = run_by_hand.make(base / "first")
    second = run_by_hand.make(base / "second", manifest=other(seed=4, width=7), evaluation=None)
    return [first, second]


def test_different_and_common_settings(runs):
    differing, common = settings_of([read_run(run) for run in runs])
    assert differing == {"seed": [3, 4], "width": ["–", 7]}
    assert common["batch"] == 16
    assert common["experiment"] == "cartoon"
    assert not differing.keys() & common.keys()


def test_scores_are_side_by_side(runs):
    rows = {row["label"]: row["cells"] for row in scores_of([read_run(run) for run in runs])}
    assert rows["mean radius"] == [(0.97, None), (0.97, None)]
    assert rows["Frechet distance"] == [(12.34, 0.56), (None, None)]


def test_one_measure_by_two_kinds_of_features_is_two_rows(tmp_path):
    both = [{**EVALUATION["scores"][0], "name": name, "features": name} for name in ("a", "b")]
    run = run_by_hand.make(tmp_path / "run", evaluation={**EVALUATION, "scores": both})
    assert [row["label"] for row in scores_of([read_run(run)])] == ["mean radius", *["Frechet distance"] * 2]


def test_the_page_and_the_picture(runs, tmp_path):
    page, picture = save_comparison(runs, tmp_path / "out")
    assert (page, picture) == (tmp_path / "out" / "comparison.html", tmp_path / "out" / "comparison.png")
    said = words(page.read_text())
    for piece in ("first cartoon, seed 3", "second cartoon, seed 4", "width – 7", "12.34 real samples 0.56"):
        assert piece in said, piece
    assert len(Reader(page.read_text()).all("img")) == 2
    with Image.open(picture) as file:
        pixels = np.asarray(file.convert("RGB"), float)
    left, right = np.array_split(pixels, 2, axis=1)
    assert min(left.std(), right.std()) > 20
    before = page.read_bytes(), picture.read_bytes()
    save_comparison(runs, tmp_path / "out")
    assert (page.read_bytes(), picture.read_bytes()) == before


def test_runs_with_nothing_to_show_and_odd_names_can_be_compared(tmp_path):
    bare = tmp_path / "$x_1$ <script>alert(1)</script>".replace("/", "")
    bare.mkdir()
    (bare / "manifest.json").write_text('{"experiment": "ring"}')
    hostile = run_by_hand.make(tmp_path / "b", manifest=other(seed=HOSTILE))
    page, _ = save_comparison([bare, hostile, run_by_hand.make(tmp_path / "c")], tmp_path)
    found = Reader(page.read_text())
    assert len(found.all("script")) == 1
    assert len(found.all("img")) == 2
    assert "This run has no final picture." in found.text


def test_names_are_unique():
    assert names_of([Path("/runs/a"), Path("/runs/b")]) == ["a", "b"]
    assert names_of([Path("/x/run"), Path("/y/run")]) == ["x/run", "y/run"]
    with pytest.raises(UserError, match=r"^/x/../x/a is given twice"):
        names_of([Path("/x/a"), Path("/x/../x/a")])


@pytest.mark.parametrize("count", [0, 1, 13])
def test_too_few_or_too_many_are_refused(count, runs, tmp_path):
    with pytest.raises(UserError, match=f"2 to 12 runs can be compared, not {count}"):
        save_comparison(runs[:1] * count, tmp_path / "out")
    assert not (tmp_path / "out").exists()
