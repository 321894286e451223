"""A few of the kills of `kills.py`, which is a command that does many more."""

import kills
import pytest


def test_a_run_that_is_killed_and_resumed_ends_with_the_bytes_of_one_that_was_not(tmp_path):
    nearest = next(scenario for scenario in kills.SCENARIOS if scenario.name == "nearest")
    said = []
    count = kills.run(tmp_path, 4, seed=1, scenarios=[nearest], say=lambda line, **_: said.append(line))
    assert count == 4, "\n".join(said)


@pytest.mark.parametrize("path", ["samples/step_0000004.png", "metrics.csv", "extra", ".lock"])
def test_any_file_that_differs_is_noticed(dots, tmp_path, path):
    before = kills.content(dots.path)
    copy = kills.copied(dots.path, tmp_path / "run")
    assert kills.content(copy) == before
    (copy / path).write_bytes(b"changed")
    assert {name for name, _ in kills.content(copy).items() ^ before.items()} == {path}
