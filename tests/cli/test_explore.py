"""`ganjax explore`: the latent space as labelled grids and as a film."""

import functools
import shutil

import keras
import numpy as np
import pytest
import small_runs
from PIL import Image

from ganjax.training import RunFolder

ended = functools.partial(small_runs.ended, "explore")


NAMES = ["constant", "flipped", "held", "interpolated", "directions", "truncation"]


def test_the_grids_are_written_beside_the_run(tiles, tmp_path, capsys):
    shutil.copytree(tiles.path, tmp_path / "run")
    assert ended(tmp_path / "run", "--rows", 2, "--columns", 3) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [str(tmp_path / "run" / "explore" / f"{name}.png") for name in NAMES]
    for path in said:
        with Image.open(path) as picture:
            assert np.ptp(np.asarray(picture.convert("L"))) > 20


def test_the_seed_decides_the_random_grids_only(tiles, tmp_path):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert ended(tiles.path, "--rows", 1, "--columns", 2, "--out", tmp_path / out, "--seed", seed) == 0
    for name in NAMES:
        a, b, c = ((tmp_path / out / f"{name}.png").read_bytes() for out in "abc")
        assert a == b
        assert (a == c) == (name in ("constant", "flipped"))


def test_truncation_changes_only_random_faces_and_has_its_own_grid(tiles, tmp_path):
    for out, psi in (("whole", 1), ("half", 0.5)):
        words = ("--rows", 1, "--columns", 2, "--out", tmp_path / out, "--truncation", psi)
        assert ended(tiles.path, *words) == 0
    for name in NAMES:
        whole, half = ((tmp_path / out / f"{name}.png").read_bytes() for out in ("whole", "half"))
        assert (whole == half) == (name in ("constant", "flipped", "truncation"))


def test_the_film_is_a_walk_that_ends_where_it_began(tiles, tmp_path, capsys):
    assert ended(tiles.path, "--rows", 2, "--columns", 2, "--film", "--out", tmp_path) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "walk.gif")
    with Image.open(tmp_path / "walk.gif") as film:
        assert film.size == (64, 64)
        assert film.info["loop"] == 0
        frames = []
        for i in range(film.n_frames):
            film.seek(i)
            frames.append(np.asarray(film.convert("RGB"), float))
    assert len(frames) == 32
    steps = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:] + frames[:1], strict=True)]
    assert 0 < steps[-1] < 3 * np.median(steps)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--serve --film", "--serve writes no files: leave out --film"),
        ("--serve --out x", "--serve writes no files: leave out --out"),
        ("--port 8000", "--port needs --serve"),
        ("--serve --port 70000", "--port must be a whole number in [0, 65535], got 70000"),
        ("--truncation 1.5", "--truncation must be a number in [0, 1], got 1.5"),
    ],
)
def test_flags_that_exclude_each_other_are_refused(words, said, tiles, capsys):
    assert ended(tiles.path, *words.split()) == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert said in err


def test_a_file_in_the_way_is_kept(tiles, tmp_path, capsys):
    (tmp_path / "file").write_text("a thesis")
    for out in (tmp_path / "file", tmp_path / "file" / "folder"):
        assert ended(tiles.path, "--rows", 1, "--columns", 2, "--out", out) == 2
        said, err = capsys.readouterr()
        assert said == ""
        assert small_runs.one_line(err)
        assert err.startswith(f"ganjax: cannot write to {out}: ")
        assert err.endswith("; choose another --out\n")
    assert (tmp_path / "file").read_text() == "a thesis"


@pytest.mark.parametrize("words", [(), ("--serve",)])
def test_points_have_nothing_to_explore(words, dots, capsys):
    assert ended(dots.path, *words) == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert "points" in err
    assert not (dots.path / "explore").exists()


@pytest.mark.parametrize(
    ("latent", "said"),
    [
        ({"class": "mine.Uniform", "mean": 0.0, "scale": 1.0}, "draws its latents with mine.Uniform"),
        ({"class": "ganjax.latents.NormalAndSigns", "signs": 2}, "only normal latents can be explored"),
    ],
)
def test_latents_that_are_not_normal_are_refused(latent, said, tiles, tmp_path, capsys):
    shutil.copytree(tiles.path, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    folder.write_manifest(folder.read_manifest() | {"latent": latent})
    assert ended(tmp_path / "run", "--out", tmp_path / "grids") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "grids").exists()


def test_a_generator_that_contains_code_is_refused_in_one_line(tiles, tmp_path, capsys):
    shutil.copytree(tiles.path, tmp_path / "run")
    layers = [keras.layers.Input((100,)), keras.layers.Lambda(lambda x: x)]
    RunFolder(tmp_path / "run").write_model("generator", keras.Sequential(layers))
    assert ended(tmp_path / "run") == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert "code other than Keras's own layers, and ganjax does not run such code" in err
