"""Histograms and landscapes: what is drawn, what is left out, and what is refused."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganjax.viewing.distributions import plot_distribution, plot_landscape
from ganjax.viewing.saving import figure_pixels
from ganjax.viewing.style import new_axes


@pytest.fixture(autouse=True)
def no_pyplot_figures():
    before = plt.get_fignums()
    yield
    assert plt.get_fignums() == before


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def is_a_picture(ax):
    pixels = figure_pixels(ax.figure)
    return len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20


def test_the_given_axis_is_used(rng):
    ax = new_axes()
    assert plot_distribution(rng.normal(size=50), rng.normal(size=50), ax=ax) is ax
    ax = new_axes()
    assert plot_landscape(rng.normal(size=(50, 2)), rng.normal(size=(50, 2)), ax=ax) is ax


def test_histograms_have_100_bins_of_area_one(rng):
    ax = plot_distribution(rng.normal(10, 1, (500, 1)), rng.normal(0, 3, 400))
    for patch in ax.patches[:2]:
        density, edges, _ = patch.get_data()
        assert len(density) == 100
        assert np.sum(density * np.diff(edges)) == pytest.approx(1)
    assert legend(ax)[0].startswith("real, mean")
    assert is_a_picture(ax)


def test_decision_curve_is_the_sigmoid_of_the_logits(rng):
    seen = []

    def discriminator(points):
        seen.append(points)
        return 2 * points - 20

    ax = plot_distribution(rng.normal(10, 1, 500), rng.normal(8, 1, 500), discriminator)
    assert seen[0].dtype == np.float32
    assert seen[0].shape[1:] == (1,)
    decision = ax.figure.axes[1]
    curve, half = decision.get_lines()
    x, y = curve.get_data()
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-(2 * x - 20))), atol=1e-5)
    assert set(half.get_ydata()) == {0.5}
    assert "0.5" in legend(ax)


def test_enormous_logits_do_not_overflow(rng):
    ax = plot_distribution(
        rng.normal(size=50), rng.normal(size=50), lambda points: 1e30 * np.sign(points[:, 0])
    )
    _, y = ax.figure.axes[1].get_lines()[0].get_data()
    assert set(y) <= {0.0, 1.0}


def test_values_that_are_not_finite_are_counted(rng):
    generated = rng.normal(size=100)
    generated[:7] = [np.nan, np.inf, -np.inf, np.nan, np.nan, np.nan, np.nan]
    ax = plot_distribution(rng.normal(size=100), generated)
    assert "7 not finite" in legend(ax)[1]
    ax = plot_distribution(rng.normal(size=100), np.full(9, np.nan))
    assert "9 not finite" in legend(ax)[1]
    assert is_a_picture(ax)
    points = rng.normal(size=(20, 2))
    points[3, 1] = np.nan
    assert "1 not finite" in legend(plot_landscape(points, points))[0]


def test_a_collapsed_generator_does_not_flatten_the_real_histogram(rng):
    real = rng.normal(10, 1, 1000)
    ax = plot_distribution(real, np.full(1000, 7.0))
    peak = ax.patches[0].get_data().values.max()
    assert ax.get_ylim()[1] < 4 * peak
    assert "cut off" in legend(ax)[1]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=1, max_size=20),
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
)
def test_any_float32_values_can_be_drawn(generated, real):
    ax = plot_distribution(np.float32(real), np.float32(generated), lambda points: points[:, 0] * 0)
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    ("real", "generated", "message"),
    [
        ([], [1.0], "no real"),
        ([1.0], [], "no generated"),
        (np.zeros((3, 2)), [1.0], r"shape \(n,\)"),
        ([np.nan], [1.0], "1 not finite"),
        (None, [np.inf, np.nan], "2 not finite"),
        (None, [], "no generated"),
    ],
)
def test_what_cannot_be_drawn_is_refused(real, generated, message):
    with pytest.raises(ValueError, match=message):
        plot_distribution(real, generated)


def test_a_discriminator_of_several_logits_is_refused(rng):
    with pytest.raises(ValueError, match="one logit"):
        plot_distribution(rng.normal(size=9), rng.normal(size=9), lambda points: np.zeros((2, 4)))


def test_landscape_shows_both_sides_and_the_line_between(rng):
    def discriminator(points):
        assert points.dtype == np.float32
        return points[:, :1]

    points = rng.normal(size=(200, 2))
    ax = plot_landscape(points, points + np.array([100, 0]), discriminator, limits=(-2, 2, -1, 1))
    assert ax.get_xlim() == (-2, 2)
    assert ax.get_ylim() == (-1, 1)
    real, generated = legend(ax)
    inside = np.count_nonzero((np.abs(points) <= [2, 1]).all(axis=1))
    assert f"{200 - inside} outside" in real
    assert "200 outside" in generated
    pixels = figure_pixels(ax.figure).astype(int)
    height = pixels.shape[0]
    # Sample the canvas at the two ends of the x axis: blue where real, yellow where generated.
    corners = ax.transData.transform([(-1.95, 0.97), (1.95, 0.97)])
    low, high = (pixels[height - round(y), round(x)] for x, y in corners)
    assert low[0] > low[2]
    assert high[2] > high[0]


@pytest.mark.parametrize("logit", [0.0, 1e6, -1e6, np.nan])
def test_flat_landscapes_can_be_drawn(rng, logit):
    points = rng.normal(size=(30, 2))
    ax = plot_landscape(points, points, lambda points: np.full(len(points), logit))
    assert is_a_picture(ax)


def test_landscape_of_one_repeated_point(rng):
    west, east = plot_landscape(np.ones((5, 2)), np.full((5, 2), np.nan)).get_xlim()
    assert west < 1 < east


def test_generated_samples_can_be_drawn_alone(rng):
    ax = plot_distribution(None, rng.normal(5, 1, 100))
    (label,) = legend(ax)
    assert label.startswith("generated, mean")
    assert is_a_picture(ax)
    ax = plot_landscape(None, rng.normal(5, 1, (100, 2)))
    assert legend(ax) == ["generated"]
    assert ax.get_xlim()[0] > 0
    assert is_a_picture(ax)


@pytest.mark.parametrize("limits", [(1, 1, 0, 1), (0, 1, 2, 1)])
def test_limits_without_area_are_refused(rng, limits):
    with pytest.raises(ValueError, match="limits"):
        plot_landscape(np.ones((5, 2)), np.ones((5, 2)), limits=limits)


def test_landscape_needs_points_of_the_plane():
    with pytest.raises(ValueError, match=r"\(n, 2\)"):
        plot_landscape(np.ones(5), np.ones((5, 2)))


def test_points_beyond_the_plane_are_drawn_by_their_first_two_coordinates(rng):
    points = rng.normal(size=(30, 5))
    points[3, 4] = np.nan  # not among the drawn coordinates, but the point is not finite
    ax = plot_landscape(points, points)
    assert "1 not finite" in legend(ax)[0]
    shown = np.asarray(ax.collections[-1].get_offsets())
    np.testing.assert_array_equal(shown, np.delete(points, 3, axis=0)[:, :2])
