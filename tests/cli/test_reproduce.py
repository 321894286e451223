"""`ganjax reproduce`: what it prints, and how it exits."""

import functools
import json
import shutil

import pytest
import small_runs

from ganjax.experiments import EXPERIMENTS
from ganjax.runs import checkpoints
from ganjax.training import RunFolder


@pytest.fixture(autouse=True)
def _dots_are_an_experiment(monkeypatch, tmp_path):
    monkeypatch.setitem(EXPERIMENTS, "dots", small_runs.Dots)
    monkeypatch.setitem(EXPERIMENTS, "tiles", small_runs.Tiles)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def copy(dots, tmp_path):
    """A copy of the run of dots, to be changed."""
    return RunFolder(shutil.copytree(dots.path, tmp_path / "copy"))


ended = functools.partial(small_runs.ended, "reproduce")


def change(folder, **values):
    manifest = folder.read_manifest()
    folder.manifest_path.write_text(json.dumps(manifest | values))


def with_digest(folder, step, digest="0" * 64):
    return folder.read_manifest()["digests"] | {str(step): digest}


def test_a_run_is_identical_at_every_digest(dots, tiles, capsys):
    for folder, count, last in ((dots, 6, 12), (tiles, 4, 3)):
        assert ended(folder.path) == 0
        out = capsys.readouterr().out.splitlines()
        assert len(out) == count + 1
        assert all(line.endswith("identical") for line in out[:-1])
        assert out[-1] == f"bit-identical at all {count} digests, up to step {last}"


def test_a_manifest_is_enough(dots, tmp_path, capsys):
    shutil.copy(dots.manifest_path, tmp_path / "its.json")
    assert ended("its.json", "--steps", 3) == 0
    assert "all 3 digests, up to step 2" in capsys.readouterr().out


def test_it_writes_nothing(copy, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert ended(copy.path, "--steps", 1) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_it_stops_at_the_first_difference_and_describes_it(copy, capsys):
    change(copy, digests=with_digest(copy, 5), environment={"versions": {"jax": "0.0.1"}})
    found = checkpoints.read(copy.checkpoint_path(12))
    found.witnesses[5][:] *= 1 + 1e-3
    checkpoints.write(copy.checkpoint_path(12), found)
    assert ended(copy.path) == 3
    out = capsys.readouterr().out
    assert "step        5  different by 0.001" in out
    assert "step       10" not in out
    assert "first difference at step 5: identical up to step 2" in out
    assert "0.001  " in out
    assert "more arrays" in out
    assert "versions jax: 0.0.1, here " in out

    assert ended(copy.path, "--tolerance", 0.01) == 0
    assert "within 0.001 at all 6 digests, up to step 12" in capsys.readouterr().out


def test_a_difference_in_values_that_are_not_stored_is_found(copy, capsys):
    change(copy, digests=with_digest(copy, 5))
    assert ended(copy.path) == 3
    out = capsys.readouterr().out
    assert "step        5  different" in out
    assert "not in the values that a run stores" in out
    assert ended(copy.path, "--tolerance", 1e-9) == 0
    assert "within 0 at all 6 digests" in capsys.readouterr().out


def test_tolerance_needs_values_to_compare(copy, capsys):
    change(copy, digests=with_digest(copy, 0))
    assert ended(copy.manifest_path) == 3
    out = capsys.readouterr().out
    assert "the initial states differ already" in out
    assert "that needs the run folder" in out
    assert ended(copy.manifest_path, "--tolerance", 1) == 2
    assert "--tolerance needs a run folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"schema": 99}, "update ganjax"),
        ({"schema": 1}, "older ganjax"),
        ({"experiment": "knots"}, "does not have"),
        ({"settings": {}}, "another version"),
        ({"settings": 3}, "does not have"),
        ({"digests": {}}, "nothing to compare with"),
        ({"key": [0, 9]}, "not the run of the manifest"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_reported_in_one_line(copy, capsys, values, said):
    change(copy, **values)
    if "digests" in values:
        manifest = copy.read_manifest()
        del manifest["state_sha256"]
        copy.manifest_path.write_text(json.dumps(manifest))
    assert ended(copy.manifest_path) == 2
    err = capsys.readouterr().err
    assert said in err
    assert small_runs.one_line(err.replace("dots, seed 0: 12 steps\n", ""))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere"),
        (["{run}", "--steps", "-1"], "--steps"),
        (["{run}", "--tolerance", "nan"], "--tolerance"),
        (["{run}", "--tolerance", "-1"], "--tolerance"),
        (["{run}", "--data", "faces"], "--data"),
    ],
)
def test_mistakes_are_reported_in_one_line(dots, capsys, words, said):
    assert ended(*(word.format(run=dots.path) for word in words)) == 2
    err = capsys.readouterr().err
    assert said in err
    assert small_runs.one_line(err)
