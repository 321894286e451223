"""Charts: positions of lines, their descriptions, and unusual columns."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.viewing.reports.charts import BOTTOM, HEIGHT, LEFT, POINTS, RIGHT, TOP, WIDTH, charts, rows


def points(path):
    return np.array([[float(x), float(y)] for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)])


def losses(values, other=None):
    values = np.asarray(values, float)
    other = values if other is None else np.asarray(other, float)
    return {
        "step": 10.0 * np.arange(1, len(values) + 1),
        "generator_loss": values,
        "discriminator_loss": other,
    }


def test_lines_pass_through_their_values():
    chart = charts(losses([0, 1, 2], [2, 1, 0]))[0]
    made, real = chart.lines
    assert (made.label, made.kind, real.label, real.kind) == ("generator", "made", "discriminator", "real")
    up, down = points(made.values), points(real.values)
    np.testing.assert_allclose(up[:, 0], [LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT], atol=0.1)
    np.testing.assert_allclose(up[:, 1], down[::-1, 1])
    assert up[0, 1] > up[1, 1] > up[2, 1]  # y grows downward
    places = {label: place for place, label in chart.y_ticks}
    np.testing.assert_allclose(places["1"], up[1, 1], atol=0.1)


def test_each_panel_has_its_columns_and_its_level():
    names = ("generator_loss", "fake_logits", "real_logits", "fake_accuracy")
    metrics = {"step": np.array([1.0, 2.0])} | {name: np.array([-1.0, 1.0]) for name in names}
    found = charts(metrics)
    assert [(chart.title, len(chart.lines)) for chart in found] == [
        ("Losses", 1),
        ("Mean logit of D", 2),
        ("Accuracy of D", 1),
    ]
    assert [chart.level is not None for chart in found] == [False, True, True]
    assert found[1].level == pytest.approx((TOP + HEIGHT - BOTTOM) / 2)
    assert charts({}) == charts({"step": np.array([1.0])}) == []


def test_compared_runs_have_the_same_axes():
    long, short = losses(np.linspace(0, 10, 20)), losses([5.0, 5.0])
    alone, shared = charts(short)[0], charts(short, [long, short])[0]
    assert shared.y_ticks == charts(long)[0].y_ticks != alone.y_ticks
    assert points(shared.lines[0].values)[-1, 0] < points(alone.lines[0].values)[-1, 0]


def test_a_line_is_interrupted_where_it_is_not_finite():
    chart = charts(losses([1, np.nan, 2, 3, np.inf, 4]))[0]
    line = chart.lines[0]
    assert line.values.count("M") == 3
    assert line.values.count("h3") == 2  # a single point would have no length
    assert line.words == "generator: 1 at step 10, 4 at step 60, between 1 and 4; 2 not finite."
    assert chart.words.startswith(line.words)


def test_peaks_remain_when_there_are_more_values_than_pixels():
    values = np.zeros(5000)
    values[:200] = 0.5
    values[1234] = 0.9
    line = points(charts(losses(values))[0].lines[0].values)
    assert len(line) <= POINTS
    alone = points(charts(losses([0.9, 0]))[0].lines[0].values)
    assert line[:, 1].min() == pytest.approx(alone[0, 1], abs=0.2)
    assert (np.diff(line[:, 0]) >= 0).all()


@given(st.lists(st.floats(width=32), min_size=1, max_size=40))
def test_any_values_can_be_drawn(values):
    for chart in charts(losses(values)):
        assert chart.words
        for line in chart.lines:
            places = points(line.values)
            assert ((places >= [LEFT - 0.1, TOP - 0.1]) & (places <= [WIDTH, HEIGHT - BOTTOM + 0.1])).all()
    head, lines = rows(losses(values))
    assert head == ["step", "generator loss", "discriminator loss"]
    assert 1 <= len(lines) <= 12
    assert lines[0][0] == "10"
    assert lines[-1][0] == str(10 * len(values))


def test_without_steps_rows_are_counted():
    metrics = {"step": np.array([1.0, np.nan]), "generator_loss": np.array([1.0, 2.0])}
    assert charts(metrics)[0].lines[0].words.startswith("generator: 1 at step 0, 2 at step 1")
