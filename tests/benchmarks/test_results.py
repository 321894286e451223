import json

import pytest
import results_by_hand as by_hand

from benchmarks.throughput import results
from ganjax.system.errors import UserError


def test_saved_results_are_loaded_again(tmp_path):
    written = by_hand.results()
    path = results.save(tmp_path / "new" / "folder", written)
    assert results.load(path) == results.load(path.parent) == written


def test_figures_keep_six_digits_and_what_is_not_finite_becomes_null(tmp_path):
    written = by_hand.results([by_hand.row("keras-jax", [0.00123456789, float("nan")])])
    (row,) = results.load(results.save(tmp_path, written))["rows"]
    assert row["seconds_per_step"] == [0.00123457, None]


def test_a_full_run_fits_into_200_kilobytes(tmp_path):
    workloads, paths, precisions = 12, 5, 2
    rows = [
        by_hand.row("ganjax-chunk", [0.123456789 + 1e-6 * i for i in range(results.MOST_ROUNDS)])
        for _ in range(workloads * paths * precisions)
    ]
    assert results.save(tmp_path, by_hand.results(rows)).stat().st_size < 200_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no results in"),
        ("{", "is not a results file"),
        ("[]", "has schema None"),
        ('{"schema": 2, "rows": []}', "has schema 2, but this program reads 1"),
        ('{"schema": 1}', "has no rows"),
    ],
)
def test_errors_of_reading_are_one_line(tmp_path, text, message):
    if text is not None:
        (tmp_path / results.FILE).write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        results.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_ratios_are_taken_round_by_round():
    """3 rounds of graph over chunk: 4/1, 6/2, 5/1. The ratio of the medians would be 5."""
    chunk, stock, graph, xla = results.ratios(by_hand.results()["rows"])
    assert chunk == pytest.approx((4.0, 3.0, 5.0))
    assert stock == pytest.approx((0.4, 0.3, 0.5))
    assert graph == (1.0, 1.0, 1.0)
    assert xla.median == pytest.approx(0.8)
    assert chunk.width == pytest.approx(0.5)


def test_ratios_to_stock_keras():
    chunk, stock, *_ = results.ratios(by_hand.results()["rows"], results.stock_keras)
    assert chunk == pytest.approx((10, 10, 10))
    assert stock == (1, 1, 1)


def test_precisions_workloads_and_deterministic_kernels_are_never_mixed():
    rows = by_hand.results()["rows"]
    for change in ({"precision": "bfloat16"}, {"workload": "ring-128"}, {"deterministic": True}):
        other = by_hand.row("ganjax-chunk", [1.0, 1.0, 1.0], **change)
        assert results.ratios([*rows, other]) == [*results.ratios(rows), None]


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        ({"error": "the worker was killed"}, "failed"),
        ({"seconds_per_step": []}, "failed"),
        ({"same_work": {"comparable": False, "reason": "losses differ"}}, "not comparable"),
        ({"same_work": {"comparable": None, "reason": "no other path"}}, "not checked"),
        ({"same_work": None}, "not checked"),
    ],
)
def test_a_row_that_is_not_comparable_has_no_ratio_and_is_not_a_base(change, mark):
    chunk, stock, graph, xla = by_hand.results()["rows"]
    graph = graph | change
    assert results.trouble(graph)
    assert (results.mark(graph), results.mark(xla)) == (mark, None)
    assert results.best_tensorflow([chunk, stock, graph, xla]) is xla
    found = results.ratios([chunk | change, stock, graph, xla])
    assert found[0] is None
    assert found[2] is None
    assert found[3] == (1.0, 1.0, 1.0)


def test_share_of_peak():
    row = by_hand.row("ganjax-chunk", [0.001, 0.002, 0.001])  # 2 MFLOP in 1 ms, 1 000 GFLOP/s
    peaks = {"float32": {"gflops": 1000.0}}
    assert results.share_of_peak(row, peaks) == pytest.approx(0.002)
    assert results.share_of_peak(row, {}) is None
    assert results.share_of_peak(row | {"flops_per_step": None}, peaks) is None
    assert results.share_of_peak(row | {"precision": "bfloat16"}, peaks) is None
    assert results.share_of_peak(row | {"seconds_per_step": []}, peaks) is None


def test_each_row_is_one_line(tmp_path):
    text = results.save(tmp_path, by_hand.results()).read_text()
    assert sum(line.lstrip().startswith('{"workload"') for line in text.splitlines()) == 4
    assert json.loads(text)["schema"] == 1
