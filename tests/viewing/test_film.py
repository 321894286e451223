"""Films: frames, durations, colours and bytes."""

import numpy as np
import pytest
from PIL import Image

from ganjax.viewing.film import save_film
from ganjax.viewing.saving import save_image


def forming(n, size=24):
    """`n` frames of a coloured square growing on white, all different."""
    frames = []
    for i in range(n):
        frame = np.full((size, size, 3), 255, np.uint8)
        frame[: i + 2, : i + 2] = [200, 40 + 3 * i, 10]
        frames.append(frame)
    return frames


def play(path):
    """Return the frames as arrays, how long each is shown in milliseconds, and the loop count."""
    frames, durations = [], []
    with Image.open(path) as film:
        for i in range(film.n_frames):
            film.seek(i)
            frames.append(np.asarray(film.convert("RGB")))
            durations.append(film.info["duration"])
        loop = film.info["loop"]
    return frames, durations, loop


def test_frames_durations_and_loop(tmp_path):
    path = save_film(tmp_path / "film.gif", forming(6), seconds_per_frame=0.13, last=1.5)
    frames, durations, loop = play(path)
    assert durations == [130] * 5 + [1500]
    assert loop == 0
    for shown, given in zip(frames, forming(6), strict=True):
        assert np.abs(shown.astype(int) - given).max() <= 8
    assert [p.name for p in tmp_path.iterdir()] == ["film.gif"]


def test_parts_that_do_not_move_do_not_flicker(tmp_path):
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (16, 32, 3), dtype=np.uint8)
    moving = [rng.integers(0, 256, (16, 32, 3), dtype=np.uint8) for _ in range(5)]
    frames, *_ = play(save_film(tmp_path / "film.gif", [np.concatenate([still, m]) for m in moving]))
    assert len(frames) == 5
    assert all(np.array_equal(frame[:16], frames[0][:16]) for frame in frames)


def test_the_same_frames_give_the_same_bytes_from_arrays_and_from_files(tmp_path):
    frames = forming(4)
    paths = [save_image(tmp_path / f"{i}.png", frame) for i, frame in enumerate(frames)]
    a = save_film(tmp_path / "a.gif", frames)
    b = save_film(tmp_path / "b.gif", paths)
    c = save_film(tmp_path / "c.gif", [str(path) for path in paths])
    assert a.read_bytes() == b.read_bytes() == c.read_bytes()


def test_max_frames_keeps_the_first_the_last_and_some_between(tmp_path):
    frames, durations, _ = play(save_film(tmp_path / "film.gif", forming(20), max_frames=5))
    assert len(frames) == 5
    assert durations[-1] == 2000
    assert np.abs(frames[0].astype(int) - forming(20)[0]).max() <= 8
    assert np.abs(frames[-1].astype(int) - forming(20)[-1]).max() <= 8
    frames, *_ = play_one(save_film(tmp_path / "one.gif", forming(20), max_frames=1))
    assert np.abs(frames.astype(int) - forming(20)[-1]).max() <= 8


def play_one(path):
    with Image.open(path) as film:
        return np.asarray(film.convert("RGB")), getattr(film, "n_frames", 1)


def test_shrinking_averages_whole_pixels(tmp_path):
    frame = np.zeros((8, 12, 3), np.uint8)
    frame[::2] = 200
    picture, count = play_one(save_film(tmp_path / "film.gif", [frame], shrink=2))
    assert count == 1
    assert picture.shape == (4, 6, 3)
    assert (picture == 100).all()


def test_frames_of_different_sizes_are_refused(tmp_path):
    frames = [*forming(2), np.zeros((24, 30, 3), np.uint8)]
    with pytest.raises(ValueError, match="frame 2 is 30 x 24 pixels"):
        save_film(tmp_path / "film.gif", frames)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("frames", "arguments", "message"),
    [
        ([], {}, "at least one frame"),
        ([np.zeros((4, 4, 3))], {}, "uint8"),
        ([np.zeros((4, 4), np.uint8)], {}, "shape"),
        (forming(1), {"shrink": 0}, "shrink"),
        (forming(1), {"max_frames": 0}, "max_frames"),
        (forming(1), {"seconds_per_frame": 0.001}, "0.02 seconds"),
    ],
)
def test_frames_that_do_not_fit_are_refused(tmp_path, frames, arguments, message):
    with pytest.raises(ValueError, match=message):
        save_film(tmp_path / "film.gif", frames, **arguments)
