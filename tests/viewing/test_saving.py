"""Files: written atomically, readable by others, the same bytes for the same picture."""

import stat

import numpy as np
import pytest
from PIL import Image

from ganjax.viewing.saving import save_bytes, save_figure, save_image
from ganjax.viewing.style import new_axes


def test_folders_are_made_and_nothing_else_is_left(tmp_path):
    path = save_bytes(tmp_path / "a" / "b" / "file", b"x")
    assert path.read_bytes() == b"x"
    beside = path.parent.parent / "plain"
    beside.write_bytes(b"x")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(beside.stat().st_mode)
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_bytes(tmp_path / "file", b"old")

    def full(*_):
        raise OSError("no space")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        save_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_pixels_come_back_from_the_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with Image.open(save_image(tmp_path / "image.png", pixels)) as file:
        assert np.array_equal(np.asarray(file), pixels)


def test_equal_figures_give_equal_bytes(tmp_path):
    paths = []
    for name in "ab":
        ax = new_axes(2, 2)
        ax.plot([1, 2])
        paths.append(save_figure(tmp_path / f"{name}.png", ax.figure))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as file:
        assert file.size == (300, 300)
        assert "Software" not in file.info
