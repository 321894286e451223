import json

import jax
import pytest

from benchmarks.throughput import peaks


def test_figures_of_small_products():
    found = peaks.measure(["float32", "bfloat16"], seconds=0.001, sizes=(32, 64), values=1000)
    assert found.keys() == {"float32", "bfloat16", "bandwidth_gb_s", "device"}
    assert found["device"] == jax.devices()[0].device_kind
    assert found["bandwidth_gb_s"] > 0
    for precision in ("float32", "bfloat16"):
        figures = found[precision]
        assert figures["gflops"] == max(figures["gflops_by_size"].values()) > 0
        assert figures["gflops_by_size"][str(figures["size"])] == figures["gflops"]
        assert list(figures["gflops_by_size"]) == ["32", "64"]


def test_operations_and_bytes_of_a_call(monkeypatch):
    """A call has 2 n^3 operations, or moves three arrays with 4 bytes for each value."""
    monkeypatch.setattr(peaks, "_seconds_of_a_call", lambda function, x, seconds: 1.0)
    assert peaks.product_gflops(100, "float32", 1.0) == pytest.approx(2e-3)
    assert peaks.bandwidth_gb_s(1000, 1.0) == pytest.approx(12e-6)


def test_the_fastest_round_counts(monkeypatch):
    """Rounds have as many calls as take 6 s at the best speed so far: 1, 1, 3, 6, 6 in 5, 2, 3, 6, 6 s."""
    readings = iter([0, 5, 0, 2, 0, 3, 0, 6, 0, 6])
    monkeypatch.setattr(peaks.time, "perf_counter", lambda: next(readings))
    calls = []
    best = peaks._seconds_of_a_call(lambda x: calls.append(x) or x, 0.0, 6.0)
    assert len(calls) == 2 + 1 + 1 + 3 + 6 + 6
    assert best == 1.0


def test_it_prints_one_line_of_json(monkeypatch, capsys):
    monkeypatch.setattr(peaks, "measure", lambda precisions, seconds: {"asked": precisions, "for": seconds})
    peaks.main(["float32", "bfloat16", "--seconds", "0.5"])
    assert json.loads(capsys.readouterr().out) == {"asked": ["float32", "bfloat16"], "for": 0.5}


@pytest.mark.parametrize("words", [[], ["float64"], ["float32", "--seconds", "x"]])
def test_bad_arguments(words, capsys):
    with pytest.raises(SystemExit) as caught:
        peaks.main(words)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err
