"""Grids: every pixel where it belongs, none invented."""

import warnings

import matplotlib.pyplot as plt
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ganjax.datasets import render_avatars
from ganjax.viewing.grids import (
    image_grid,
    labelled_grid,
    plot_images,
    save_grid,
    to_uint8,
)
from ganjax.viewing.saving import figure_pixels
from ganjax.viewing.style import new_axes

MAGENTA = [255, 0, 255]


def random_images(n, height=5, width=4, channels=3, seed=0):
    shape = (n, height, width, channels)
    return np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)


def test_range_and_clipping():
    values = np.float32([-2, -1, 0, 1, 2, np.inf, -np.inf, 0.5]).reshape(1, 2, 4, 1)
    with pytest.warns(UserWarning, match=r"beyond -1\.5 or 1\.5 and clipped"):
        assert to_uint8(values).ravel().tolist() == [0, 0, 128, 255, 255, 255, 0, 191]


@pytest.fixture
def faces():
    """Four faces at 16 pixels, as uint8."""
    return render_avatars(0, 4, 16).images


@pytest.mark.parametrize("draw", [to_uint8, image_grid, plot_images, "save_grid", "labelled_grid"])
@pytest.mark.parametrize("kind", [np.float32, ml_dtypes.bfloat16])
def test_images_in_0_to_1_are_told_from_those_in_minus_1_to_1(faces, draw, kind, tmp_path):
    named = {
        "save_grid": lambda images: save_grid(tmp_path / "x.png", images),
        "labelled_grid": lambda images: labelled_grid(images, ["a", "b"]),
    }
    draw = named.get(draw, draw)
    with pytest.warns(UserWarning, match=r"these seem to be in \[0, 1\].*: give 2 \* images - 1"):
        draw((faces / np.float32(255)).astype(kind))
    draw((faces / np.float32(127.5) - 1).astype(kind))  # warnings are errors in tests
    draw(faces)


def test_a_pixel_that_is_not_a_number_does_not_hide_the_range(faces):
    images = faces / np.float32(255)
    images[0, 0, 0] = np.nan
    with pytest.warns(UserWarning, match="seem to be in"):
        to_uint8(images)


SHAPE = (4, 8, 8, 3)


def uniform(low, high):
    return np.random.default_rng(0).uniform(low, high, SHAPE).astype(np.float32)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros(SHAPE, np.float32),  # a generator whose last kernel begins as zeros
        np.ones(SHAPE, np.float32),  # one that is saturated
        uniform(0.3, 1),  # bright pictures
        uniform(0, 0.7),
        uniform(0.7, 0.9),  # nothing but a bright background
        uniform(-0.01, 1),
        uniform(-1.5, 1.5),  # a generator without tanh
        np.where(uniform(0, 1) < 0.005, 0, 1).astype(np.float32),  # a few pixels at 0
        np.full((1, 2, 2, 1), np.nan, np.float32),
    ],
)
def test_what_may_be_in_minus_1_to_1_is_drawn_in_silence(images):
    to_uint8(images)


@pytest.mark.parametrize("images", [uniform(0, 255), uniform(-1, 1.51) * 2, uniform(-9, 0)])
def test_what_is_far_out_of_range_is_said(images):
    with pytest.warns(UserWarning, match="scale them, or name their range"):
        to_uint8(images)


def test_it_is_said_once(tmp_path, faces):
    for _ in range(3):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("default")
            for scale in (255, 254):
                save_grid(tmp_path / "x.png", faces / np.float32(scale))
    assert len(told) == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_every_byte_survives_the_round_trip_through_floats(dtype):
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    floats = (levels / 127.5 - 1).astype(dtype)
    # bfloat16 keeps 8 bits, sign apart, of numbers up to 1: bytes come back within one.
    tolerance = 1 if dtype is ml_dtypes.bfloat16 else 0
    assert np.abs(to_uint8(floats).astype(int) - levels).max() <= tolerance
    assert to_uint8(levels) is levels


def test_nan_is_visible():
    images = np.zeros((1, 2, 2, 3), np.float32)
    images[0, 0, 1, 2] = np.nan
    assert to_uint8(images)[0, 0, 1].tolist() == MAGENTA
    assert to_uint8(images)[0, 1, 1].tolist() == [128, 128, 128]
    grey = images[..., 2:]
    assert to_uint8(grey)[0, 0, 1, 0] == 0
    assert image_grid(grey, padding=0)[0, 1].tolist() == MAGENTA


@pytest.mark.parametrize(
    ("images", "error"),
    [
        (np.zeros((4, 4, 3)), ValueError),
        (np.zeros((1, 4, 4, 2)), ValueError),
        (np.zeros((1, 4, 4, 3), np.int32), TypeError),
        (np.zeros((1, 4, 4, 3), bool), TypeError),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images, error):
    with pytest.raises(error, match="images must"):
        to_uint8(images)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 12),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    channels=st.sampled_from([1, 3]),
    columns=st.none() | st.integers(1, 7),
    padding=st.integers(0, 3),
    scale=st.integers(1, 3),
)
def test_each_image_is_found_again_pixel_for_pixel(n, height, width, channels, columns, padding, scale):
    images = random_images(n, height, width, channels)
    grid = image_grid(images, columns, padding, scale)
    columns = columns or int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    cell_height, cell_width = height * scale + padding, width * scale + padding
    assert grid.dtype == np.uint8
    assert grid.shape == (rows * cell_height + padding, columns * cell_width + padding, 3)
    rest = grid.copy()
    for i, image in enumerate(images):
        top = padding + i // columns * cell_height
        left = padding + i % columns * cell_width
        block = (slice(top, top + height * scale), slice(left, left + width * scale))
        expected = np.kron(image, np.ones((scale, scale, 1), np.uint8))
        assert np.array_equal(grid[block], np.broadcast_to(expected, (*expected.shape[:2], 3)))
        rest[block] = 255
    assert (rest == 255).all()


@pytest.mark.parametrize("arguments", [{"columns": 0}, {"padding": -1}, {"scale": 0}, {"columns": -2}])
def test_numbers_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        image_grid(random_images(2), **arguments)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="no images"):
        image_grid(random_images(0))


def test_saved_grid_is_the_grid_and_its_bytes_repeat(tmp_path):
    images = random_images(5)
    path = save_grid(tmp_path / "new" / "grid.png", images, columns=2, scale=2)
    with Image.open(path) as file:
        assert np.array_equal(np.asarray(file), image_grid(images, 2, scale=2))
    again = save_grid(tmp_path / "again.png", images, columns=2, scale=2)
    assert path.read_bytes() == again.read_bytes()
    assert sorted(p.name for p in path.parent.iterdir()) == ["grid.png"]


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = save_grid(tmp_path / "grid.png", random_images(1))
    before = path.read_bytes()

    def no_room(*_):
        raise OSError("no space")

    monkeypatch.setattr("os.replace", no_room)
    with pytest.raises(OSError, match="no space"):
        save_grid(path, random_images(2))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["grid.png"]


@pytest.mark.parametrize("column_labels", [None, ["a", "b", "c"], ["long label"] * 3])
def test_labels_stand_beside_images_that_stay_as_they_are(column_labels):
    images = random_images(6, 24, 24)
    sheet = labelled_grid(images, ["one", "two\nlines"], column_labels, scale=2)
    right = sheet[:, -(3 * 50 + 2) :]
    # Below the column labels, the sheet's right part holds the grid, row by row.
    grid = image_grid(images, 3, scale=2)
    offset = sheet.shape[0] - grid.shape[0]
    assert np.array_equal(right[offset:], grid)
    assert (sheet[offset : offset + 50, : -(3 * 50 + 2)] < 128).any()
    assert (sheet[offset + 50 :, : -(3 * 50 + 2)] < 128).any()
    assert (sheet[:offset] < 128).any() == (column_labels is not None)
    assert (sheet[:, :3] == 255).all()


def test_labels_of_different_rows_never_touch():
    sheet = labelled_grid(random_images(3, 4, 4), ["long\ntext", "long\ntext", "x"])
    margin = sheet[:, :-8].min(axis=(1, 2))
    runs = np.flatnonzero(np.diff(np.concatenate([[0], (margin < 200).astype(int), [0]])) == 1)
    assert len(runs) >= 5


def test_labelled_grid_takes_rows_of_images_too():
    images = random_images(6)
    rows = images.reshape(2, 3, *images.shape[1:])
    assert np.array_equal(labelled_grid(images, ["a", "b"]), labelled_grid(rows, ["a", "b"]))


@pytest.mark.parametrize(
    ("count", "rows", "columns", "message"),
    [
        (5, ["a", "b"], None, "cannot fill"),
        (4, [], None, "cannot fill"),
        (4, ["a", "b"], ["c"], "column labels"),
    ],
)
def test_labels_that_do_not_fit_are_refused(count, rows, columns, message):
    with pytest.raises(ValueError, match=message):
        labelled_grid(random_images(count), rows, columns)


def test_column_labels_wider_than_their_columns_even_when_turned_are_refused():
    with pytest.raises(ValueError, match="raise scale"):
        labelled_grid(random_images(4, 4, 4), ["a"], ["label"] * 4)


def test_save_grid_with_labels(tmp_path):
    images = random_images(4, 16, 16)
    path = save_grid(tmp_path / "grid.png", images, row_labels=["a", "b"])
    with Image.open(path) as file:
        assert np.array_equal(np.asarray(file), labelled_grid(images, ["a", "b"]))


def test_plotted_images_are_not_blurred():
    before = plt.get_fignums()
    images = random_images(4, 20, 20)
    ax = plot_images(images)
    grid = image_grid(images)
    pixels = figure_pixels(ax.figure)
    scale = pixels.shape[0] // grid.shape[0]
    assert np.array_equal(pixels, grid.repeat(scale, 0).repeat(scale, 1))
    ax = new_axes()
    assert plot_images(images, ax=ax) is ax
    assert plt.get_fignums() == before


@pytest.mark.parametrize("value_range", [(0, 1), (-1, 1), (0, 255), (-2, 3)])
def test_a_range_that_is_named_is_used_without_a_warning(faces, value_range):
    low, high = value_range
    images = low + faces * np.float32((high - low) / 255)
    assert np.array_equal(to_uint8(images, value_range), faces)
    beyond = to_uint8(np.float32([low - 9, high + 9]).reshape(1, 2, 1, 1), value_range)
    assert beyond.ravel().tolist() == [0, 255]


@pytest.mark.parametrize("value_range", [(1, 0), (1, 1), (0, np.nan)])
def test_a_range_without_values_is_refused(faces, value_range):
    with pytest.raises(ValueError, match="from a smaller to a larger"):
        to_uint8(faces / np.float32(255), value_range)
