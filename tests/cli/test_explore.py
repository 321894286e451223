"""`ganjax explore`: the course's walks through the latent space, as labelled grids."""

import functools
import shutil

import keras
import numpy as np
import pytest
import runs
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganjax.cli import explore
from ganjax.training import RunFolder

ended = functools.partial(runs.ended, "explore")


def test_constant_latents_are_those_of_the_course():
    latents, rows, columns = explore.constant_latents((1, 1, 100))
    assert latents.shape == (8, 1, 1, 100)
    assert latents.dtype == np.float32
    values = [1, 0.8, 0.6, 0.4, -0.4, -0.6, -0.8, -1]
    for latent, value in zip(latents, values, strict=True):
        np.testing.assert_array_equal(latent, np.full((1, 1, 100), value, np.float32))
    assert columns == ["1", "0.8", "0.6", "0.4", "-0.4", "-0.6", "-0.8", "-1"]
    assert len(rows) == 1


def test_ten_more_coordinates_are_flipped_at_a_time():
    latents, rows, columns = explore.flipped_latents((100,))
    assert latents.shape == (11, 100)
    assert latents.dtype == np.float32
    for i, latent in enumerate(latents):
        np.testing.assert_array_equal(latent, [-1] * 10 * i + [1] * (100 - 10 * i))
    assert columns == [str(10 * i) for i in range(11)]
    assert len(rows) == 1


@pytest.mark.parametrize("size", [1, 5, 10, 13, 128])
def test_flipping_ends_with_all_of_any_size(size):
    latents, _, columns = explore.flipped_latents((size,))
    assert (latents[0] == 1).all()
    assert (latents[-1] == -1).all()
    assert columns[-1] == str(size)
    steps = np.diff([int(column) for column in columns])
    assert (steps > 0).all()
    assert (steps <= 10).all()


def test_the_first_35_are_held_and_the_rest_redrawn():
    random = np.random.default_rng(0)
    starts = random.normal(size=(3, 1, 1, 100)).astype(np.float32)
    others = random.normal(size=(12, 1, 1, 100)).astype(np.float32)
    before = others.copy()
    latents, rows, _ = explore.held_latents(starts, others)
    assert latents.shape == (12, 1, 1, 100)
    for i, latent in enumerate(latents):
        np.testing.assert_array_equal(latent[0, 0, :35], starts[i // 4, 0, 0, :35])
        np.testing.assert_array_equal(latent[0, 0, 35:], before[i, 0, 0, 35:])
    assert len(rows) == 3
    assert "first 35" in rows[0]
    np.testing.assert_array_equal(others, before)


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(2, 120), columns=st.integers(2, 9))
def test_a_walk_on_the_sphere_has_exact_ends_and_even_steps(seed, size, columns):
    random = np.random.default_rng(seed)
    starts, ends = random.normal(size=(2, 3, size)).astype(np.float32)
    walk, rows, labels = explore.interpolated_latents(starts, ends, columns)
    assert walk.dtype == np.float32
    walk = walk.reshape(3, columns, size)
    np.testing.assert_allclose(walk[:, 0], starts, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(walk[:, -1], ends, rtol=1e-5, atol=1e-5)
    assert (len(rows), len(labels)) == (3, columns)

    # Between two latents of one length the walk keeps that length, and turns by the same angle each time.
    ends *= np.linalg.norm(starts, axis=1, keepdims=True) / np.linalg.norm(ends, axis=1, keepdims=True)
    walk = explore.interpolated_latents(starts, ends, columns)[0].reshape(3, columns, size).astype(float)
    lengths = np.linalg.norm(walk, axis=2)
    np.testing.assert_allclose(lengths, lengths[:, :1].repeat(columns, 1), rtol=1e-4)
    cosines = (walk[:, 1:] * walk[:, :-1]).sum(axis=2) / (lengths[:, 1:] * lengths[:, :-1])
    np.testing.assert_allclose(cosines, cosines[:, :1].repeat(columns - 1, 1), atol=1e-4)


@pytest.mark.parametrize("end", [1.0, 2.0, -1.0])
def test_a_walk_between_parallel_latents_is_finite(end):
    start = np.ones((1, 4), np.float32)
    walk = explore.interpolated_latents(start, end * start, 5)[0]
    assert np.isfinite(walk).all()
    np.testing.assert_allclose(walk[[0, -1]], np.concatenate([start, end * start]), rtol=1e-3)


def test_the_four_grids_are_written_beside_the_run(tiles, tmp_path, capsys):
    shutil.copytree(tiles.path, tmp_path / "run")
    assert ended(tmp_path / "run", "--rows", 2, "--columns", 3) == 0
    said = capsys.readouterr().out.splitlines()
    names = ["constant", "flipped", "held", "interpolated"]
    assert said == [str(tmp_path / "run" / "explore" / f"{name}.png") for name in names]
    for path in said:
        with Image.open(path) as picture:
            assert np.ptp(np.asarray(picture.convert("L"))) > 20


def test_the_seed_decides_the_random_grids_only(tiles, tmp_path):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert ended(tiles.path, "--rows", 1, "--columns", 2, "--out", tmp_path / out, "--seed", seed) == 0
    for name in ("constant", "flipped", "held", "interpolated"):
        a, b, c = ((tmp_path / out / f"{name}.png").read_bytes() for out in "abc")
        assert a == b
        assert (a == c) == (name in ("constant", "flipped"))


def test_a_file_in_the_way_is_kept(tiles, tmp_path, capsys):
    (tmp_path / "file").write_text("a thesis")
    for out in (tmp_path / "file", tmp_path / "file" / "folder"):
        assert ended(tiles.path, "--rows", 1, "--columns", 2, "--out", out) == 2
        said, err = capsys.readouterr()
        assert said == ""
        assert runs.one_line(err)
        assert err.startswith(f"ganjax: cannot write to {out}: ")
        assert err.endswith("; choose another --out\n")
    assert (tmp_path / "file").read_text() == "a thesis"


def test_points_have_nothing_to_explore(dots, capsys):
    assert ended(dots.path) == 2
    err = capsys.readouterr().err
    assert runs.one_line(err)
    assert "points" in err
    assert not (dots.path / "explore").exists()


def test_a_generator_that_carries_code_is_refused_in_one_line(tiles, tmp_path, capsys):
    shutil.copytree(tiles.path, tmp_path / "run")
    layers = [keras.layers.Input((100,)), keras.layers.Lambda(lambda x: x)]
    RunFolder(tmp_path / "run").write_model("generator", keras.Sequential(layers))
    assert ended(tmp_path / "run") == 2
    err = capsys.readouterr().err
    assert runs.one_line(err)
    assert "code beyond Keras's own layers, which is not run" in err
