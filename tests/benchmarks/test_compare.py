import pytest
import results_by_hand as by_hand

from benchmarks.compare import command
from benchmarks.throughput import results
from benchmarks.throughput.results import Spread
from ganjax.system.errors import UserError


def scaled(row, factor):
    return row | {"seconds_per_step": [factor * seconds for seconds in row["seconds_per_step"]]}


def line(text, path):
    (found,) = [line for line in text.splitlines() if line.startswith("ring-16 ") and path in line]
    return found.split()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((2, 1, 3), (3, 2.5, 4), None),
        ((2, 1, 3), (4, 3, 5), None),  # they touch
        ((2, 1, 3), (4, 3.1, 5), 2.0),
        ((4, 3.1, 5), (2, 1, 3), 0.5),
        (None, (2, 1, 3), None),
        ((2, 1, 3), None, None),
    ],
)
def test_rows_change_if_their_rounds_do_not_overlap(before, after, expected):
    before, after = (spread and Spread(*spread) for spread in (before, after))
    assert command.change(before, after) == expected


def test_equal_runs_change_nothing():
    run = by_hand.results()
    text = command.compare(run, run)
    assert "0 of 4 rows changed" in text
    assert "slower" not in text
    assert "faster" not in text
    assert line(text, "ganjax-chunk") == [
        "ring-16",
        "ganjax-chunk",
        "float32",
        "1.00",
        "1.00",
        "1.00x",
        "4.00",
        "4.00",
    ]


def test_changed_rows_are_marked():
    chunk, stock, graph, xla = by_hand.results()["rows"]
    after = by_hand.results([scaled(chunk, 4), scaled(stock, 0.25), graph, scaled(xla, 1.1)])
    text = command.compare(by_hand.results(), after)
    assert line(text, "ganjax-chunk")[3:] == ["1.00", "4.00", "0.250x", "slower", "4.00", "1.00", "worse"]
    assert line(text, "keras-jax")[3:] == ["10.0", "2.50", "4.00x", "faster", "0.400", "1.60", "better"]
    assert line(text, "tensorflow-xla")[3:7] == ["6.00", "6.60", "0.909x", "0.800"]
    assert "2 of 4 rows changed" in text


def test_rows_of_one_run_only_and_failures_are_named():
    chunk, stock, graph, xla = by_hand.results()["rows"]
    failed = stock | {"seconds_per_step": [], "error": "killed"}
    after = [chunk | {"precision": "bfloat16"}, failed, graph, xla | {"deterministic": True}]
    text = command.compare(by_hand.results(), by_hand.results(after))
    assert "only in A: ring-16, ganjax-chunk, float32\n" in text
    assert "only in B: ring-16, ganjax-chunk, bfloat16\n" in text
    assert "only in B: ring-16, tensorflow-xla, float32, deterministic\n" in text
    assert line(text, "keras-jax")[3:] == ["10.0", "failed", "0.400", "failed"]
    assert "0 of 2 rows changed" in text


def test_nothing_in_common():
    text = command.compare(by_hand.results(), by_hand.results([]))
    assert text.count("only in A") == 4
    assert "0 of 0 rows changed" in text


def test_differences_of_settings_and_versions():
    rows = [row | {"versions": {"keras": "3.14.0"}} for row in by_hand.results()["rows"]]
    after = by_hand.results(rows, settings={"device": "cpu", "allocator": "stock", "rounds": 3}, quick=True)
    lines = command.differences(by_hand.results(), after)
    assert lines == [
        "allocator: A keeps freed memory, B stock",
        "deterministic: A False, B None",
        "keras: A 3.13.2, B 3.14.0",
        "B is a quick run: few and short rounds",
    ]
    assert command.differences(after, after) == []


def test_the_command(tmp_path, capsys):
    results.save(tmp_path / "a", by_hand.results())
    path = results.save(tmp_path / "b", by_hand.results())
    command.main([str(tmp_path / "a"), str(path)])
    assert "0 of 4 rows changed" in capsys.readouterr().out
    with pytest.raises(UserError, match="no results in"):
        command.main([str(tmp_path / "a"), str(tmp_path / "absent")])
