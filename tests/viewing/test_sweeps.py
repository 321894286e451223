"""Scores over a hyperparameter: means, errors and lines follow from the rows; unusual sweeps can be drawn."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.container import ErrorbarContainer
from PIL import Image

from ganjax.viewing import style
from ganjax.viewing.sweeps import plot_sweep, prefers_logarithmic_axis, save_sweep, standard_error

RATES = (1e-4, 1e-3, 1e-2)


def score_of(rate, weight, seed):
    return 100 * rate + weight + 0.25 * seed**2


def sweep(rates=RATES, weights=(1.0,), seeds=3, **more):
    """Rows like those of `populations.sweep`."""
    return [
        {"rate": rate, "weight": weight, "seed": seed, "diverged_at": 0}
        | {"good_samples": score_of(rate, weight, seed), "modes": float(seed)}
        | more
        for rate in rates
        for weight in weights
        for seed in range(seeds)
    ]


def line(ax, label):
    (found,) = [each for each in ax.get_lines() if each.get_label() == label]
    return found


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_seeds_mean_and_standard_error_are_drawn():
    rows = sweep()
    ax = plot_sweep(rows, "rate", "good_samples", perfect=5.0)
    dots, mean = line(ax, "one seed (3 per value)"), line(ax, "mean of the seeds")
    assert dots.get_xdata().tolist() == [row["rate"] for row in rows]
    assert dots.get_ydata().tolist() == [row["good_samples"] for row in rows]
    expected = np.array([np.mean([score_of(rate, 1, seed) for seed in range(3)]) for rate in RATES])
    np.testing.assert_array_equal(mean.get_xdata(), RATES)
    np.testing.assert_allclose(mean.get_ydata(), expected)
    error = np.sqrt(np.var([0, 0.25, 1], ddof=1) / 3)
    (band,) = ax.collections
    outline = band.get_paths()[0].vertices
    for rate, middle in zip(RATES, expected, strict=True):
        there = outline[outline[:, 0] == rate, 1]
        assert (there.min(), there.max()) == pytest.approx((middle - error, middle + error))
    assert line(ax, "perfect sampler").get_ydata() == [5, 5]
    names = ["mean of the seeds", "one seed (3 per value)", "± standard error of the mean"]
    assert labels(ax) == [*names, "perfect sampler"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("rate", "good samples")


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9))
def test_the_standard_error_is_that_of_the_mean(values):
    n, mean = len(values), sum(values) / len(values)
    expected = math.sqrt(sum((x - mean) ** 2 for x in values) / (n - 1) / n)
    assert standard_error(np.array(values)) == pytest.approx(expected, abs=1e-9)


def test_the_given_axis_is_used_and_no_window_is_left():
    before = plt.get_fignums()
    ax = style.new_axes()
    assert plot_sweep(sweep(), "rate", "modes", ax=ax) is ax
    plot_sweep(sweep(), "rate", "modes")
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (RATES, "log"),
        ((3e-4, 1e-3), "linear"),  # less than a decade
        ((0.5, 1.0, 2.0, 4.0), "linear"),
        ((1.0, 2.0, 4.0, 8.0, 16.0), "log"),
        (range(1, 21), "linear"),  # more than a decade, but evenly spaced
        ((0.0, 0.1, 1.0, 10.0), "symlog"),
        ((0.0, 1.0), "linear"),
        ((-1.0, 0.1, 1.0, 10.0), "linear"),
        ((1.0,), "linear"),
    ],
)
def test_the_axis_is_logarithmic_if_that_spaces_the_values_more_evenly(values, scale):
    ax = plot_sweep(sweep(values[::-1], seeds=2), "rate", "modes")
    assert ax.get_xscale() == scale
    if len(values) < 10:
        assert [text.get_text() for text in ax.get_xticklabels()] == [f"{x:g}" for x in sorted(values)]
    places = ax.transData.transform([(x, 0) for x in sorted(values)])[:, 0]
    assert (np.diff(places) > 0).all()


@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=6, unique=True), st.floats(1e-3, 1e3))
def test_the_unit_of_a_hyperparameter_does_not_matter(values, unit):
    values = np.sort(values)
    even = np.geomspace(1, 1e4, len(values)) * unit
    assert prefers_logarithmic_axis(even)
    assert not prefers_logarithmic_axis(np.linspace(1, 1e4, 7) * unit)
    if values[-1] / values[0] < 9:
        assert not prefers_logarithmic_axis(values * unit)


def test_values_close_together_keep_the_usual_ticks():
    ax = plot_sweep(sweep((1.0, 1.01, 3.0)), "rate", "modes")
    assert "1.01" not in [text.get_text() for text in ax.get_xticklabels()]


def test_other_hyperparameters_get_lines_that_differ_without_colour():
    ax = plot_sweep(sweep(weights=(0.1, 1.0)), "rate", "good_samples")
    assert labels(ax)[:2] == ["weight 0.1", "weight 1"]
    lines = [line(ax, label) for label in labels(ax)[:2]]
    for each, weight in zip(lines, (0.1, 1.0), strict=True):
        expected = [np.mean([score_of(rate, weight, seed) for seed in range(3)]) for rate in RATES]
        np.testing.assert_allclose(each.get_ydata(), expected)
    assert lines[0].get_linestyle() != lines[1].get_linestyle()
    assert lines[0].get_marker() != lines[1].get_marker()


def test_diverged_runs_are_marked_and_left_out_of_the_mean():
    rows = sweep(seeds=4)
    rows[0] |= {"diverged_at": 17, "modes": 100.0}
    rows[1]["modes"] = math.nan
    for row in rows[4:8]:
        row["diverged_at"] = 1
    ax = plot_sweep(rows, "rate", "modes")
    np.testing.assert_array_equal(line(ax, "mean of the seeds").get_ydata(), [2.5, math.nan, 1.5])
    crosses = line(ax, "number of runs that diverged or have no score")
    assert crosses.get_xdata().tolist() == [1e-4, 1e-3]
    assert [text.get_text() for text in ax.texts] == ["2", "4"]
    assert len(line(ax, "one seed (4 per value)").get_xdata()) == 6
    assert labels(ax)[-1] == crosses.get_label()


@pytest.mark.parametrize(
    "rows",
    [
        sweep(RATES, seeds=1),
        sweep((1.0,), seeds=3),
        sweep((1.0,), seeds=1),
        sweep(diverged_at=3),
        sweep(modes=1e30),
    ],
)
def test_unusual_sweeps_can_be_drawn(rows, tmp_path):
    with Image.open(save_sweep(tmp_path / "sweep.png", rows, "rate", ["modes"])) as file:
        assert len(np.unique(np.asarray(file.convert("L")))) > 10


def test_a_single_value_has_its_error_as_a_bar():
    ax = plot_sweep(sweep((1.0,), seeds=3), "rate", "modes")
    (bar,) = [each for each in ax.containers if isinstance(each, ErrorbarContainer)]
    assert bar.get_label() == "± standard error of the mean"
    assert "± standard error of the mean" not in labels(plot_sweep(sweep(seeds=1), "rate", "modes"))


def test_a_panel_for_each_score_and_the_same_bytes_again(tmp_path):
    rows, levels = sweep(seeds=2), {"modes": 8.0}
    one = save_sweep(tmp_path / "made" / "one.png", rows, "rate", ["modes"])
    two, again = (
        save_sweep(tmp_path / name, rows, "rate", ["modes", "good_samples"], perfect=levels)
        for name in ("two.png", "again.png")
    )
    assert two.read_bytes() == again.read_bytes()
    with Image.open(one) as small, Image.open(two) as large:
        assert small.height < large.height


@pytest.mark.parametrize(
    ("rows", "names", "said"),
    [
        ([], ("rate", "modes"), "nothing to draw"),
        (sweep(), ("speed", "modes"), "not all rows have 'speed'"),
        (sweep(), ("rate", "beauty"), "not all rows have 'beauty'"),
        (
            sweep(),
            ("modes", "good_samples"),
            "'modes' is not a hyperparameter of this sweep; it has: rate, weight",
        ),
        ([{"rate": 1.0, "modes": 1.0}], ("rate", "modes"), "not all rows have 'seed'"),
        (sweep((1.0, math.inf)), ("rate", "modes"), "every rate must be finite"),
        (sweep(weights=(1, 2, 3, 4, 5)), ("rate", "modes"), "5 lines, one for each weight"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows, names, said):
    with pytest.raises(ValueError, match=said):
        plot_sweep(rows, *names)


def test_scores_that_do_not_fit_are_refused(tmp_path):
    for scores, levels, said in (
        ([], None, "at least one score"),
        (["modes"], {"mdoes": 8.0}, "not drawn: mdoes"),
    ):
        with pytest.raises(ValueError, match=said):
            save_sweep(tmp_path / "sweep.png", sweep(), "rate", scores, perfect=levels)
    assert not list(tmp_path.iterdir())
