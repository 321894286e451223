"""Curves: reading, smoothing, and unusual runs."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganjax.system.errors import UserError
from ganjax.viewing.curves import plot_curves, read_metrics, save_curves, smooth
from ganjax.viewing.style import new_axes


def run(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    names = "generator_loss discriminator_loss real_logits fake_logits real_accuracy fake_accuracy"
    return {"step": 10 * np.arange(rows)} | {name: rng.uniform(size=rows) for name in names.split()}


def write_csv(path, metrics):
    rows = zip(*metrics.values(), strict=True)
    lines = [",".join(metrics), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_given_axis_is_used_and_no_window_is_left():
    before = plt.get_fignums()
    ax = new_axes()
    assert plot_curves(run(), ax=ax) is ax
    plot_curves(run())
    assert plt.get_fignums() == before


def test_raw_and_smoothed_lines_share_the_steps():
    metrics = run()
    ax = plot_curves(metrics, smoothing=0.9)
    raw, average = ax.get_lines()[:2]
    assert np.array_equal(raw.get_xdata(), metrics["step"])
    assert np.array_equal(raw.get_ydata(), metrics["generator_loss"])
    assert np.array_equal(average.get_ydata(), smooth(metrics["generator_loss"], 0.9))
    assert labels(ax) == ["generator loss", "discriminator loss"]


def test_lines_differ_without_colour():
    lines = plot_curves(run()).get_lines()
    assert lines[1].get_linestyle() != lines[3].get_linestyle()


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    st.sampled_from([0.0, 0.5, 0.9, 0.99]),
)
def test_smoothing_is_the_weighted_mean_of_the_past(values, s):
    weights = s ** np.arange(len(values))[::-1].astype(float)
    expected = np.dot(weights, values) / weights.sum()
    assert smooth(values, s)[-1] == pytest.approx(expected, rel=1e-6, abs=1e-3)
    assert smooth(values, s)[0] == pytest.approx(values[0])


def test_smoothing_ignores_values_that_are_not_finite():
    result = smooth([1, math.nan, 3, math.inf], 0.5)
    assert np.isnan(result[[1, 3]]).all()
    assert result[2] == smooth([1, 3], 0.5)[1]


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, math.nan])
def test_smoothing_out_of_range_is_refused(smoothing):
    with pytest.raises(ValueError, match="smoothing"):
        plot_curves(run(), smoothing=smoothing)


def test_metrics_can_be_a_list_of_those_of_each_step(tmp_path):
    columns = run(3)
    steps = [{name: column[i] for name, column in columns.items()} for i in range(3)]
    one, other = plot_curves(columns).get_lines(), plot_curves(steps).get_lines()
    for mine, its in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine.get_ydata(), its.get_ydata())
    for wrong, said in (([1.0, 2.0], "got list of float"), ([], "got list without rows")):
        with pytest.raises(TypeError, match=said):
            save_curves(tmp_path / "curves.png", wrong)


@pytest.mark.parametrize(("rows", "value"), [(1, 0.0), (1, math.nan), (2, 1e30), (3, math.inf)])
def test_short_and_broken_runs_can_be_drawn(tmp_path, rows, value):
    metrics = run(rows) | {"generator_loss": np.full(rows, value)}
    with Image.open(save_curves(tmp_path / "curves.png", metrics)) as file:
        assert len(np.unique(np.asarray(file.convert("L")))) > 10
    note = f" ({rows} not finite)" if not math.isfinite(value) else ""
    assert labels(plot_curves(metrics))[0] == "generator loss" + note


def test_a_single_step_has_whole_numbers_around_it():
    assert plot_curves(run(1)).get_xlim() == (-1, 1)


def test_one_extreme_value_does_not_hide_the_others():
    metrics = run(500)
    metrics["generator_loss"][3] = 1e6
    assert plot_curves(metrics).get_ylim()[1] < 3


def test_a_csv_file_and_its_columns_give_the_same_bytes(tmp_path):
    metrics = run(20)
    a = save_curves(tmp_path / "a.png", metrics)
    b = save_curves(tmp_path / "b.png", write_csv(tmp_path / "metrics.csv", metrics))
    assert a.read_bytes() == b.read_bytes()
    with Image.open(a) as file:
        assert "Software" not in file.info
    c = save_curves(tmp_path / "c.png", run(20, seed=1))
    assert a.read_bytes() != c.read_bytes()


def test_cells_that_are_not_numbers_become_nan(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,generator_loss,finite\n0,0.5,True\n1,,False\n\n2,oops,1\n3,0.25")
    table = read_metrics(path)
    np.testing.assert_array_equal(table["step"], [0, 1, 2, 3])
    np.testing.assert_array_equal(table["generator_loss"], [0.5, math.nan, math.nan, 0.25])
    np.testing.assert_array_equal(table["finite"], [1, 0, 1, math.nan])
    assert plot_curves(path, columns=["generator_loss"]).get_lines()


@pytest.mark.parametrize("text", ["", "step,generator_loss\n"])
def test_a_file_without_rows_is_refused(tmp_path, text):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=r"metrics\.csv"):
        plot_curves(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        plot_curves(tmp_path / "metrics.csv")


def test_only_the_panels_with_columns_are_drawn(tmp_path):
    losses = {name: column for name, column in run().items() if name.endswith("loss")}
    few, all_panels = save_curves(tmp_path / "few.png", losses), save_curves(tmp_path / "all.png", run())
    with Image.open(few) as few_file, Image.open(all_panels) as all_file:
        assert few_file.height < all_file.height
    with pytest.raises(ValueError, match="nothing to draw"):
        save_curves(tmp_path / "none.png", {"step": [1]})


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"step": [1]}, "no column 'generator_loss'"),
        ({"generator_loss": [], "discriminator_loss": []}, "at least one"),
        ({"step": [1, 2], "generator_loss": [1], "discriminator_loss": [1]}, "same number"),
    ],
)
def test_columns_that_do_not_fit_are_refused(metrics, message):
    with pytest.raises(ValueError, match=message):
        plot_curves(metrics)
