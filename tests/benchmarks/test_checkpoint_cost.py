"""The time of checkpoints is measured on real runs."""

import pytest
import small_runs

from benchmarks.checkpoint_cost import command
from ganjax.experiments import EXPERIMENTS
from ganjax.system.errors import UserError


def test_the_table_has_a_row_for_each_cost(monkeypatch, capsys):
    monkeypatch.setitem(EXPERIMENTS, "dots", small_runs.Dots)
    for name in ("keep_freed_memory", "keep_compilations"):  # they would change the process of the tests
        monkeypatch.setattr(command, name, lambda **_: None)
    assert command.main(["dots", "--steps", "40", "--rounds", "1"]) == 0
    out = capsys.readouterr().out
    rows = {line.rsplit(maxsplit=3)[0]: line.split()[-3:] for line in out.splitlines()[2:5]}
    assert list(rows) == ["one step", "training waits for a checkpoint", "a checkpoint in total"]
    assert all(float(value) > 0 for value in [*rows["one step"], *rows["training waits for a checkpoint"]])
    assert "with the default interval of 60 s" in out


@pytest.mark.parametrize("words", [["--steps", "5"], ["--rounds", "0"], ["knots"]])
def test_wrong_options_are_user_errors(words):
    with pytest.raises(UserError):
        command.main(words)
