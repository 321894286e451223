"""Pictures in pages: without loss if that is small enough, fewer frames if there are many."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ganjax.viewing.reports import pictures


def noise(path, size=(8, 8)):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def unpacked(picture):
    head, data = picture.source.split(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as file:
        return np.asarray(file.convert("RGB"))


def test_every_pixel_is_kept(tmp_path):
    pixels = noise(tmp_path / "a.png", (8, 12))
    picture = pictures.exact(tmp_path / "a.png")
    assert (picture.width, picture.height) == (12, 8)
    np.testing.assert_array_equal(unpacked(picture), pixels)


def test_a_large_picture_is_compressed_with_loss(tmp_path, monkeypatch):
    noise(tmp_path / "a.png", (64, 64))
    lossless = len(pictures.exact(tmp_path / "a.png").source)
    monkeypatch.setattr(pictures, "LOSSLESS_BYTES", 1000)
    assert len(pictures.exact(tmp_path / "a.png").source) < lossless


def test_frames_are_thinned_until_they_fit(tmp_path, monkeypatch):
    paths = []
    for step in range(0, 100, 5):
        noise(tmp_path / f"{step}.png", (16, 16))
        paths.append((step, tmp_path / f"{step}.png"))
    everything = pictures.frames(paths)
    assert [step for step, _ in everything] == [step for step, _ in paths]
    monkeypatch.setattr(pictures, "FRAMES", 5)
    assert [step for step, _ in pictures.frames(paths)] == [0, 25, 50, 70, 95]
    size = len(base64.b64decode(everything[0][1].source.split(",")[1]))
    monkeypatch.setattr(pictures, "FRAMES_BYTES", 3.5 * size)
    fewer = pictures.frames(paths)
    assert len(fewer) == 3
    assert (fewer[0][0], fewer[-1][0]) == (0, 95)
    monkeypatch.setattr(pictures, "FRAMES_BYTES", 1)
    assert [step for step, _ in pictures.frames(paths)] == [0, 95]


def test_a_file_that_is_not_a_picture_is_left_out(tmp_path):
    (tmp_path / "a.png").write_text("no")
    noise(tmp_path / "b.png")
    assert pictures.exact(tmp_path / "a.png") is None
    assert [step for step, _ in pictures.frames([(1, tmp_path / "a.png"), (2, tmp_path / "b.png")])] == [2]


@pytest.mark.parametrize(("count", "most"), [(1, 2), (2, 2), (10, 2), (10, 3), (100, 40), (40, 40)])
def test_thinning_keeps_order_and_ends(count, most):
    kept = pictures.thinned(list(range(count)), most)
    assert len(kept) == min(count, most)
    assert kept == sorted(set(kept))
    assert (kept[0], kept[-1]) == (0, count - 1)
