"""`ganjax sample`: pictures and points, to every kind of file; the same seed gives the same bytes."""

import functools
import shutil

import keras
import numpy as np
import pytest
import small_runs
from PIL import Image

from ganjax.runs.saved_models import SavedGenerator
from ganjax.training import RunFolder


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


ended = functools.partial(small_runs.ended, "sample")


def pixels_of(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_an_npz_holds_samples_and_their_latents(tiles, tmp_path, capsys):
    assert ended(tiles.path, "--n", 5, "--seed", 3, "--out", "a/b.npz") == 0
    assert capsys.readouterr().out == "a/b.npz\n"
    with np.load("a/b.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"samples", "latents"}
        assert (arrays["samples"].shape, arrays["samples"].dtype) == ((5, 8, 8, 3), np.float32)
        generator = SavedGenerator(tiles)
        np.testing.assert_array_equal(arrays["latents"], generator.draw_latents(3, 5))
        np.testing.assert_array_equal(arrays["samples"], generator.decode(arrays["latents"]))


def test_a_png_is_a_grid_of_unscaled_pixels(tiles):
    assert ended(tiles.path, "--n", 4, "--out", "a.png") == 0
    ended(tiles.path, "--n", 4, "--out", "a.npz")
    samples = np.load("a.npz")["samples"]
    pixels = pixels_of("a.png")
    expected = np.round((samples + 1) * 127.5).clip(0, 255)
    found = [
        np.abs(pixels[y : y + 8 * k : k, x : x + 8 * k : k].astype(float) - expected[0]).max() <= 1
        for k in range(1, 33)
        for y in range(16)
        for x in range(16)
        if y + 8 * k <= pixels.shape[0] and x + 8 * k <= pixels.shape[1]
    ]
    assert any(found)  # the first sample is in the corner, each pixel enlarged to k x k


def test_a_folder_gets_one_picture_for_each_sample(tiles, tmp_path):
    assert ended(tiles.path, "--n", 3, "--out", "faces") == 0
    ended(tiles.path, "--n", 3, "--out", "a.npz")
    names = sorted(path.name for path in (tmp_path / "faces").iterdir())
    assert names == ["000000.png", "000001.png", "000002.png"]
    for name, sample in zip(names, np.load("a.npz")["samples"], strict=True):
        pixels = pixels_of(tmp_path / "faces" / name).astype(float)
        assert pixels.shape == (8, 8, 3)
        np.testing.assert_allclose(pixels, (sample + 1) * 127.5, atol=1)


def test_points_go_to_an_npz_or_a_plot_but_not_to_a_folder(dots, capsys):
    assert ended(dots.path, "--n", 50, "--out", "a.npz") == 0
    assert np.load("a.npz")["samples"].shape == (50, 2)
    assert ended(dots.path, "--n", 50, "--out", "a.png") == 0
    assert np.ptp(pixels_of("a.png")) > 20
    capsys.readouterr()
    assert ended(dots.path, "--n", 50, "--out", "folder") == 2
    assert small_runs.one_line(capsys.readouterr().err)


@pytest.mark.parametrize("out", ["a.png", "a.npz"])
def test_the_same_seed_gives_the_same_bytes(dots, tiles, tmp_path, out):
    for folder in (dots, tiles):
        contents = []
        for seed in (1, 1, 2):
            assert ended(folder.path, "--n", 6, "--seed", seed, "--out", out) == 0
            contents.append((tmp_path / out).read_bytes())
        assert contents[0] == contents[1] != contents[2]


def test_without_flags_64_samples_of_seed_1_are_drawn_here(tiles, tmp_path):
    assert ended(tiles.path) == 0
    assert ended(tiles.path, "--n", 64, "--seed", 1, "--out", "a.png") == 0
    assert (tmp_path / "samples.png").read_bytes() == (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize("out", ["taken.png", "file/a.png", "file"])
def test_what_cannot_be_written_is_said_in_one_line(tiles, tmp_path, capsys, out):
    (tmp_path / "taken.png").mkdir()
    (tmp_path / "file").write_text("a thesis")
    assert ended(tiles.path, "--n", 1, "--out", out) == 2
    out_said, err = capsys.readouterr()
    assert out_said == ""
    assert small_runs.one_line(err)
    assert err.startswith(f"ganjax: cannot write to {out}: ")
    assert err.endswith("; choose another --out\n")
    assert (tmp_path / "file").read_text() == "a thesis"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.png"]


def test_a_generator_that_contains_code_is_refused_in_one_line(tiles, tmp_path, capsys):
    shutil.copytree(tiles.path, tmp_path / "run")
    layers = [keras.layers.Input((100,)), keras.layers.Lambda(lambda x: x)]
    RunFolder(tmp_path / "run").write_model("generator", keras.Sequential(layers))
    assert ended("run", "--out", "a.png") == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert "code other than Keras's own layers, and ganjax does not run such code" in err
    assert not (tmp_path / "a.png").exists()


def test_a_seed_that_jax_would_fold_is_refused(tiles, capsys):
    assert ended(tiles.path, "--seed", -1) == 2
    assert "--seed" in capsys.readouterr().err
