"""report.html: its contents, that nothing in a run is read as HTML, and that equal runs give equal bytes."""

import json
import re
import shutil

import pytest

from ganjax.system.errors import UserError
from ganjax.viewing import save_report

from . import run_by_hand
from .page_reader import HOSTILE, Reader, words
from .run_by_hand import EVALUATION, MANIFEST


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_by_hand.make(tmp_path_factory.mktemp("reports") / "run")


def page_of(folder, manifest=None):
    path = save_report(folder, manifest)
    assert path == folder / "report.html"
    return path.read_text()


def test_the_page_has_everything_that_is_known_of_the_run(run):
    said = words(page_of(run))
    assert "cartoon, seed 3" in said
    assert "Steps 40" in said
    assert "Trained on 512 of avatars" in said
    for name, value in MANIFEST["settings"].items():
        assert f"{name.replace('_', ' ')} {'none' if value is None else value}" in said, name
    assert MANIFEST["command"] in said
    assert "ganjax reproduce ." in said
    assert "mean radius 0.97" in said
    assert (
        "Frechet distance How far samples are from real pictures. Computed from 128 features of the avatar"
        in said
    )
    for piece in ("12.34", "0.56", "lower", "12.5 %", "25.0 %", "99.1 %", "1000 samples", "with fresh faces"):
        assert piece in said, piece
    assert MANIFEST["data"]["sha256"] in said
    assert MANIFEST["digests"]["1"] in said


def test_the_page_does_not_say_when_or_where_the_run_was_made(run):
    page = page_of(run)
    for secret in ("secret", "2026", "98.7", "1.234", str(run), run.parent.name):
        assert secret not in page, secret


def test_the_page_is_complete_and_loads_nothing(run):
    page = Reader(page_of(run))
    pictures = page.all("img")
    assert len(pictures) == 6
    assert all(each["src"].startswith("data:image/webp;base64,") and each["alt"] for each in pictures)
    assert not page.all("link") + page.all("iframe")
    assert all("src" not in each for each in page.all("script"))
    policy = next(each["content"] for each in page.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    assert all(name not in each for _, each in page.tags for name in ("style", "onclick", "onload"))


def test_equal_runs_have_equal_pages(run, tmp_path):
    elsewhere = shutil.copytree(run, tmp_path / "elsewhere")
    manifest = {**MANIFEST, "environment": {}, "sessions": [{"host": "another"}]}
    (elsewhere / "manifest.json").write_text(json.dumps(manifest))
    first = save_report(run).read_bytes()
    assert save_report(run).read_bytes() == first
    assert save_report(elsewhere).read_bytes() == first


def test_html_in_a_run_is_escaped(tmp_path):
    manifest = {
        **MANIFEST,
        "experiment": HOSTILE,
        "settings": {"seed": HOSTILE, HOSTILE: HOSTILE, "steps": 1},
        "data": {"name": HOSTILE, HOSTILE: [HOSTILE]},
        "command": HOSTILE,
        "reason": HOSTILE,
        "scores": {HOSTILE: 1.5},
        "digests": {HOSTILE: HOSTILE},
    }
    score = {**EVALUATION["scores"][0], "label": HOSTILE, "about": HOSTILE, "better": HOSTILE}
    part = {"name": HOSTILE, "values": [{"name": HOSTILE}]}
    evaluation = {**EVALUATION, "n": HOSTILE, "note": HOSTILE, "scores": [score], "attributes": [part]}
    plain, hostile = (tmp_path / name for name in ("plain", "hostile"))
    run_by_hand.make(plain)
    run_by_hand.make(hostile, manifest=manifest, evaluation=evaluation)
    page = Reader(page_of(hostile))
    assert len(page.all("script")) == len(Reader(page_of(plain)).all("script")) == 1
    assert len(page.all("img")) == 6
    assert not any("onerror" in each for _, each in page.tags)
    assert page.text.count(HOSTILE) >= 20
    assert HOSTILE not in page_of(hostile)


@pytest.mark.parametrize("odd", [None, 7, "text", [1, [2]], {"a": {"b": None}}, True, 1e999])
def test_odd_manifests_and_evaluations_still_have_a_page(odd, tmp_path):
    manifest = dict.fromkeys(MANIFEST, odd)
    folder = run_by_hand.make(tmp_path / "run", manifest=manifest, evaluation={**EVALUATION, "scores": odd})
    page_of(folder)
    rest = dict.fromkeys(EVALUATION, odd) | {"schema": 1}
    (folder / "evaluation.json").write_text(json.dumps(rest))
    page_of(folder)
    parts = {"schema": 1, "scores": [dict.fromkeys(EVALUATION["scores"][0], odd), odd]}
    parts["attributes"] = [{"name": odd, "values": [{"name": odd, "share": odd}, odd]}]
    (folder / "evaluation.json").write_text(json.dumps(parts))
    page_of(folder)


def test_missing_files_are_left_out(tmp_path):
    folder = run_by_hand.make(tmp_path / "run", evaluation=None)
    shutil.rmtree(folder / "samples")
    for name in ("metrics.csv", "walks.png"):
        (folder / name).unlink()
    manifest = {name: MANIFEST[name] for name in ("experiment", "settings")}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    page = Reader(page_of(folder))
    assert not page.all("img") + page.all("svg")
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page_of(folder))
    assert headings == ["Settings", "Reproduce this run"]
    assert "ganjax train cartoon --seed 3 --steps 40 --batch 16 --learning-rate 0.001 --flip" in words(
        page_of(folder)
    )


@pytest.mark.parametrize(
    "name", ["samples/step_0000020.png", "samples/final.png", "walks.png", "metrics.csv"]
)
def test_damaged_files_are_left_out(name, tmp_path):
    folder = run_by_hand.make(tmp_path / "run")
    whole = len(Reader(page_of(folder)).tags)
    (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n\x00nonsense\xff")
    assert len(Reader(page_of(folder)).tags) < whole


def test_neighbours_outside_the_folder_are_not_shown(tmp_path):
    outside = run_by_hand.make(tmp_path / "outside") / "walks.png"
    for i, name in enumerate(("../outside/walks.png", str(outside))):
        folder = run_by_hand.make(tmp_path / f"run-{i}", evaluation={**EVALUATION, "neighbours": name})
        assert "Nearest neighbours" not in page_of(folder)


def test_an_evaluation_of_an_earlier_state_is_not_shown_at_the_end_of_training(run):
    assert "Frechet" in page_of(run)
    assert "Frechet" not in page_of(run, MANIFEST)


def test_a_continued_run_takes_two_commands(run):
    page = page_of(run, {**MANIFEST, "steps": 60, "steps_done": 60})
    assert f"{MANIFEST['command']} ganjax resume runs/cartoon-3 --steps 60" in words(page)


def test_the_page_of_an_interrupted_run_says_so(run):
    said = words(page_of(run, {**MANIFEST, "status": "interrupted", "steps_done": 20, "selected_step": 20}))
    assert "Steps 20 of 40" in said
    assert "Status stopped before its last step" in said


def test_the_command_can_be_read_and_copied_as_it_is(run):
    command = "ganjax train cartoon --data 'my  pictures'"
    page = page_of(run, {**MANIFEST, "command": command})
    code = re.search(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)
    assert code
    assert Reader(code[1]).text == command


@pytest.mark.parametrize("manifest", [None, "", "[1]", "{}", "{", "\xff"])
def test_the_error_says_that_there_is_no_run(manifest, tmp_path):
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest, encoding="latin-1")
    with pytest.raises(UserError, match=r"^there is no run in .*: no manifest\.json that can be read$"):
        save_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_full_disk_leaves_the_old_page(run, monkeypatch):
    before = save_report(run).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space") as caught:
        save_report(run)
    assert caught.value.filename == str(run / "report.html")
    monkeypatch.undo()
    assert (run / "report.html").read_bytes() == before
    assert not list(run.glob(".writing*"))


@pytest.mark.parametrize(("evaluated", "shown"), [("aa", True), ("bb", False)])
def test_an_evaluation_of_another_generator_is_not_shown(evaluated, shown, tmp_path):
    """A run that was continued after its evaluation has another generator, and scores of the old one."""
    manifest = {**MANIFEST, "models": {"generator.keras": "aa"}}
    evaluation = {**EVALUATION, "generator": evaluated}
    page = page_of(run_by_hand.make(tmp_path / "run", manifest=manifest, evaluation=evaluation))
    assert ("Frechet distance" in page) == shown
