"""`ganjax compare` and `ganjax report`: pages about finished runs."""

import functools
import shutil

import pytest
import small_runs

compare, report = (functools.partial(small_runs.ended, command) for command in ("compare", "report"))


def test_two_runs_become_a_page_and_a_picture(dots, tiles, tmp_path, capsys):
    assert compare(dots.path, tiles.path, "--out", tmp_path / "a" / "b") == 0
    out = tmp_path / "a" / "b"
    assert capsys.readouterr().out.splitlines() == [str(out / "comparison.html"), str(out / "comparison.png")]
    page = (out / "comparison.html").read_text()
    assert "dots, seed 0" in page
    assert "tiles, seed 0" in page


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([], "2 to 12 runs can be compared, not 1"),
        (["nowhere"], "there is no run in nowhere: it has no manifest.json"),
        (["run"], "run is given twice: give runs that differ"),
    ],
)
def test_mistakes_are_reported_in_one_line(others, said, dots, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(dots.path, "run")
    assert compare("run", *others) == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert said in err
    assert not (tmp_path / "comparison.html").exists()


def test_no_run_at_all_and_a_damaged_one(dots, tmp_path, capsys):
    assert compare("") == 2
    shutil.copytree(dots.path, tmp_path / "run")
    (tmp_path / "run" / "manifest.json").write_text("{")
    assert compare(dots.path, tmp_path / "run") == 2
    assert report(tmp_path / "run") == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert all("manifest.json cannot be read" in err for err in errors[1:])


def test_a_file_in_the_way_is_not_overwritten(dots, tiles, tmp_path, capsys):
    (tmp_path / "file").write_text("a thesis")
    assert compare(dots.path, tiles.path, "--out", tmp_path / "file") == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert err.endswith("; choose another --out\n")
    assert (tmp_path / "file").read_text() == "a thesis"


@pytest.mark.parametrize("name", ["dots", "tiles"])
def test_report_writes_the_same_page_as_training(name, request, tmp_path, capsys):
    run = request.getfixturevalue(name).path
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "report.html").unlink()
    assert report(tmp_path / "run") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'run' / 'report.html'}\n"
    assert (tmp_path / "run" / "report.html").read_bytes() == (run / "report.html").read_bytes()
