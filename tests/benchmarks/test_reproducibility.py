"""Comparisons of short runs, their tables, and real runs."""

import json

import numpy as np
import pytest

from benchmarks import machine
from benchmarks.reproducibility import command, report, small_run
from benchmarks.reproducibility.conditions import CONDITIONS, USUAL, Condition, with_interpreters
from ganjax.system.errors import UserError

RING = "ring"
MACHINE = machine.describe()


def ran(folder, digests=("a", "b", "c"), weights=(1.0, 2.0), bias=(0.0,), **more):
    """The output of a process, and the arrays that it wrote."""
    folder.mkdir()
    for name in ("1.npz", "last.npz"):
        np.savez(folder / name, weights=np.float32(weights), bias=np.float32(bias))
    said = {"digests": dict(zip("012", digests, strict=True)), "scores": {"modes": 8.0}, "threads": 2}
    return said | {"folder": folder, "error": None, "versions": {"python": "3.13.0", "jax": "0.12.0"}} | more


def test_equal_digests_are_identical(tmp_path):
    row = report.row(RING, "again", CONDITIONS["again"], ran(tmp_path / "a"), ran(tmp_path / "b"))
    assert row["first_difference"] is None
    assert row["after_1"] is None
    assert row["scores_differ"] == 0
    assert report.line(row).endswith(report.IDENTICAL)


def test_the_first_step_and_the_worst_leaf_are_named(tmp_path):
    usual = ran(tmp_path / "a", weights=(1.0, 2.0), bias=(0.5,))
    other = ran(
        tmp_path / "b", digests=("a", "x", "y"), weights=(1.0, 2.5), bias=(0.0,), scores={"modes": 6.0}
    )
    row = report.row(RING, "avx2", CONDITIONS["avx2"], other, usual)
    assert row["first_difference"] == 1
    assert row["after_last"] == {"largest": 1.0, "leaf": "bias", "median": (1.0 + 0.25) / 2}
    assert row["scores_differ"] == 0.25


def test_differences_from_zero_are_absolute():
    assert report.relative([3.0, -4.0], [0.0, 0.0]) == 4
    assert report.relative([], []) == 0


def test_a_run_that_failed_is_a_row_with_an_error(tmp_path):
    failed = {"error": "ended with 1: no", "folder": tmp_path}
    row = report.row(RING, "sse", CONDITIONS["sse"], failed, ran(tmp_path / "a"))
    assert row["error"] == "ended with 1: no"
    row = report.row(RING, "avx2", CONDITIONS["avx2"], ran(tmp_path / "b"), failed)
    assert row["error"] == "usual: ended with 1: no"
    assert "not measured" in report.line(row)


@pytest.mark.parametrize("steps", [2, 7, 100, 10_000])
def test_first_steps_and_the_last_have_a_digest(steps):
    named = small_run.digest_steps(steps)
    assert named == sorted(set(named))
    assert (named[0], named[1], named[-1]) == (0, 1, steps)
    assert len(named) <= 14


def test_a_condition_is_compared_with_one_measured_before_it():
    names = list(CONDITIONS)
    assert all(
        names.index(condition.against) < names.index(name)
        for name, condition in CONDITIONS.items()
        if name != USUAL
    )


def test_interpreters_are_conditions():
    conditions = with_interpreters(("python3.12", "python3.11"))
    assert [conditions[f"python-{i}"].python for i in (1, 2)] == ["python3.12", "python3.11"]


def test_the_users_settings_of_jax_are_not_inherited(monkeypatch):
    for name in ("XLA_FLAGS", "JAX_ENABLE_X64", "NPROC"):
        monkeypatch.setenv(name, "1")
    found = command.environment(Condition("", environment={"NPROC": "4"}))
    assert found["NPROC"] == "4"
    assert not {"XLA_FLAGS", "JAX_ENABLE_X64"} & found.keys()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"conditions": ("thread-1",)}, "threads-1"),
        ({"experiments": ("rign",)}, "ring"),
        ({"steps": 1}, "--steps"),
    ],
)
def test_wrong_options_are_named(options, named):
    with pytest.raises(UserError, match=named):
        command.chosen(command.Options(**options))


def test_a_condition_includes_the_one_it_is_compared_with():
    options = command.Options(conditions=("threads-2-on-one-core",))
    assert list(command.chosen(options)) == [USUAL, "threads-2", "threads-2-on-one-core"]


def test_a_folder_keeps_other_experiments_of_the_same_machine(tmp_path):
    found = report.load(tmp_path, {"cores": 2}, ["first"], ["ring"])
    row = report.row(RING, USUAL, CONDITIONS[USUAL], ran(tmp_path / "a"), None)
    report.save(tmp_path, found | {"machine": MACHINE, "rows": [row]})
    again = report.load(tmp_path, MACHINE, ["second"], ["cartoon"])
    assert (again["commands"], len(again["rows"])) == ([["first"], ["second"]], 1)
    assert report.load(tmp_path, MACHINE, ["third"], ["ring"])["rows"] == []
    with pytest.raises(UserError, match="another machine"):
        report.load(tmp_path, {"cores": 4}, [], ["ring"])


@pytest.mark.filterwarnings("ignore:os.fork")  # JAX is running in this process
def test_measures_real_runs(tmp_path, capsys):
    words = ["--experiments", "original-toy", "--steps", "2", "--out", str(tmp_path / "out")]
    assert command.main([*words, "--conditions", "two-at-once", "another-seed"]) == 0
    rows = json.loads((tmp_path / "out" / "results.json").read_text())["rows"]
    assert [row["condition"] for row in rows] == [USUAL, "two-at-once", "another-seed"]
    assert [row["first_difference"] for row in rows] == [None, None, 0]
    assert rows[0]["digests"].keys() == {"0", "1", "2"}
    assert rows[0]["scores"]
    report = (tmp_path / "out" / "README.md").read_text()
    assert CONDITIONS["another-seed"].title in report
    assert str(tmp_path) not in report
    assert "original-toy" in capsys.readouterr().out
