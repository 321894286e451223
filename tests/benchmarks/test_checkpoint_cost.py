"""What a checkpoint costs is measured on real runs."""

import pytest
import runs

from benchmarks import checkpoint_cost
from ganjax.errors import UserError
from ganjax.experiments import EXPERIMENTS


def test_the_table_has_a_row_for_each_cost(monkeypatch, capsys):
    monkeypatch.setitem(EXPERIMENTS, "dots", runs.Dots)
    for name in ("keep_freed_memory", "keep_compilations"):  # for the process, which is the tests'
        monkeypatch.setattr(checkpoint_cost, name, lambda **_: None)
    assert checkpoint_cost.main(["dots", "--steps", "40", "--rounds", "1"]) == 0
    out = capsys.readouterr().out
    rows = {line.rsplit(maxsplit=3)[0]: line.split()[-3:] for line in out.splitlines()[2:5]}
    assert list(rows) == ["one step", "training stands still for a checkpoint", "a checkpoint, all in all"]
    assert all(
        float(value) > 0 for value in [*rows["one step"], *rows["training stands still for a checkpoint"]]
    )
    assert "at the default rhythm of 60 s" in out


@pytest.mark.parametrize("words", [["--steps", "5"], ["--rounds", "0"], ["knots"]])
def test_mistakes_are_the_users(words):
    with pytest.raises(UserError):
        checkpoint_cost.main(words)
