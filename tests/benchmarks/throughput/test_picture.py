import numpy as np
import pytest
import results_by_hand as by_hand
from PIL import Image

from benchmarks.throughput import picture
from ganjax.viewing.saving import save_figure


def drawn(monkeypatch, tmp_path, results):
    kept = []
    monkeypatch.setattr(
        picture, "save_figure", lambda path, figure: kept.append(figure) or save_figure(path, figure)
    )
    path = picture.draw(results, tmp_path / "throughput.png")
    return kept[0], path


def test_bars_are_steps_per_second_with_their_ratio(monkeypatch, tmp_path):
    figure, _ = drawn(monkeypatch, tmp_path, by_hand.results())
    (ax,) = [ax for ax in figure.axes if ax.axison]
    assert ax.get_title("left") == "ring-16, batch 64, float32"
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([1000, 100, 200, 1000 / 6])
    assert [text.get_text() for text in ax.texts] == ["4.00x", "0.40x", "1.00x", "0.80x"]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(by_hand.PATHS)


def test_rows_that_are_not_comparable_are_marked(monkeypatch, tmp_path):
    chunk, stock, graph, xla = by_hand.results()["rows"]
    rows = [
        chunk,
        stock | {"same_work": {"comparable": False}},
        graph,
        xla | {"seconds_per_step": [], "error": "killed"},
    ]
    figure, _ = drawn(monkeypatch, tmp_path, by_hand.results(rows))
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "4.00x",
        "not comparable",
        "1.00x",
        "failed",
    ]


def test_a_full_run_is_small_enough_for_a_readme(tmp_path):
    rows = by_hand.results()["rows"]
    many = [row | {"workload": f"workload-{i}", "seeds": i} for i in range(1, 13) for row in rows]
    path = picture.draw(by_hand.results(many), tmp_path / "throughput.png")
    assert path.stat().st_size < 300_000
    pixels = np.asarray(Image.open(path).convert("RGB"))
    assert 1000 < pixels.shape[1] < 1600
    colours = {tuple(c) for c in np.unique(pixels.reshape(-1, 3), axis=0)}
    assert {(0, 0x72, 0xB2), (0xE6, 0x9F, 0)} <= colours


def test_no_rows(tmp_path):
    assert picture.draw(by_hand.results([]), tmp_path / "throughput.png").exists()
