"""Pictures from folders and archives come out upright, square and safe."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import BLUE, GREEN, RED, encode, make_tar, make_zip, plain, put
from PIL import Image, ImageFile

from ganjax.datasets import folders
from ganjax.datasets.archives import Entry
from ganjax.datasets.folders import load_images
from ganjax.datasets.images import is_picture


@pytest.fixture
def load(tmp_path):
    def load(path, size=8, **options):
        return load_images(path, size, tmp_path / "cache", progress=False, **options)

    return load


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "pictures"
    path.mkdir()
    return path


def colors(found) -> list[tuple[int, ...]]:
    """The mean colour of each picture, rounded to tens."""
    return [tuple(np.round(i.mean(axis=(0, 1)), -1).astype(int).tolist()) for i in found.images]


def test_a_folder_is_searched_deeply_in_sorted_order(folder, load):
    put(folder, "b.png", plain(GREEN))
    put(folder, "a/z/deep.JPG", plain((0, 0, 200), kind="JPEG"))
    put(folder, "c.txt", b"not a picture")
    put(folder, ".hidden.png", plain())
    put(folder, "__MACOSX/._b.png", b"resource fork")
    found = load(folder)
    assert found.images.shape == (2, 8, 8, 3)
    assert found.images.dtype == np.uint8
    assert colors(found) == [(0, 0, 200), (0, 250, 0)]
    assert (found.skipped, found.name) == ((), "pictures")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_every_kind_is_read(folder, load, kind):
    put(folder, f"x.{kind.lower()}", plain((200, 0, 0), kind=kind))
    assert np.abs(load(folder).images.astype(int) - [200, 0, 0]).max() <= 3


def test_exif_orientation_is_applied(folder, load):
    image = Image.new("RGB", (64, 64), RED)
    image.paste(BLUE, (0, 0, 64, 32))  # blue above red as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter turn clockwise
    put(folder, "x.jpg", encode(image, "JPEG", exif=exif, quality=95))
    picture = load(folder).images[0].astype(int)
    assert picture[4, 6, 2] > 200 > 60 > picture[4, 1, 2]  # blue on the right now


def test_transparency_is_laid_on_white(folder, load):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((255, 0, 0, 128), (4, 0, 8, 8))
    put(folder, "a.png", encode(image))
    palette = Image.new("P", (8, 8), 0)
    put(folder, "b.png", encode(palette, transparency=0))
    put(folder, "c.png", encode(Image.new("LA", (8, 8), (0, 0))))
    found = load(folder)
    np.testing.assert_array_equal(found.images[0, 4, 0], (255, 255, 255))
    np.testing.assert_allclose(found.images[0, 4, 7], (255, 127, 127), atol=1)
    assert (found.images[1:] == 255).all()


def test_the_central_square_is_kept(folder, load):
    wide = Image.new("RGB", (30, 10), RED)
    wide.paste(GREEN, (10, 0, 20, 10))
    put(folder, "a.png", encode(wide))
    put(folder, "b.png", encode(wide.transpose(Image.Transpose.ROTATE_90)))
    found = load(folder, size=10)
    assert (found.images == GREEN).all()


def test_shrinking_is_antialiased(folder, load):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    put(folder, "x.png", encode(Image.fromarray(stripes)))
    inner = load(folder).images[0, :, 2:-2]
    assert np.abs(inner.astype(int) - 127).max() <= 8  # grey; picking pixels gives 0 or 255


def test_a_picture_past_the_pixel_limit_is_refused_undecoded(folder, load, monkeypatch):
    bomb = plain(size=(101, 100))
    put(folder, "a.png", plain())
    put(folder, "bomb.png", bomb)
    decoded = []
    whole = ImageFile.ImageFile.load
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: decoded.append(self.size) or whole(self))
    found = load(folder, max_pixels=10_000)
    (only,) = found.skipped
    assert only.startswith("bomb.png")
    assert "101 x 100 is over the limit of 10000 pixels" in only
    assert set(decoded) == {(10, 10)}


def test_a_zip_is_read_in_its_own_order_without_extraction(tmp_path, load):
    path = tmp_path / "x.zip"
    make_zip(path, [("d/", b""), ("d/b.png", plain(GREEN)), ("a.bmp", plain(BLUE, kind="BMP"))])
    before = sorted(tmp_path.iterdir())
    found = load(path)
    assert colors(found) == [(0, 250, 0), (0, 0, 250)]
    assert sorted(p for p in tmp_path.iterdir() if p.name != "cache") == before


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_a_tar_is_read_in_its_own_order_whatever_its_name(tmp_path, load, compression):
    path = tmp_path / "x.zip"
    make_tar(
        path, [("./d/b.png", plain(GREEN)), ("notes.txt", b"x" * 5000), ("a.png", plain(BLUE))], compression
    )
    assert colors(load(path)) == [(0, 250, 0), (0, 0, 250)]


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path, load):
    make_zip(tmp_path / "inner.zip", [("a.png", plain(RED))])
    make_tar(tmp_path / "x", [("b.png", plain(GREEN)), ("inner.zip", (tmp_path / "inner.zip").read_bytes())])
    assert colors(load(tmp_path / "x")) == [(0, 250, 0)]


def test_the_set_is_cached_until_a_file_changes(folder, load, monkeypatch):
    put(folder, "a.png", plain(RED))
    first = load(folder)
    with monkeypatch.context() as patched:
        patched.setattr("ganjax.datasets.folders._build", None)
        assert load(folder).fingerprint == first.fingerprint
    assert load(folder, size=4).images.shape == (1, 4, 4, 3)
    put(folder, "a.png", plain(GREEN, size=(11, 11)))
    assert load(folder).fingerprint != first.fingerprint
    put(folder, "b.png", plain())
    assert len(load(folder)) == 2


def test_a_size_of_nothing_is_refused(folder, load):
    with pytest.raises(ValueError, match="size"):
        load(folder, size=0)


def test_more_pictures_than_are_held_at_once_keep_their_order(folder, load):
    for i in range(150):
        put(folder, f"{i:03}.png", plain((i, 0, 0), size=(2, 2)))
    np.testing.assert_array_equal(load(folder, size=2).images[:, 0, 0, 0], np.arange(150))


def test_large_files_are_held_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(folders, "_WINDOW_BYTES", 100)
    sizes = [60, 60, 10, 10, 200, 1]
    windows = [
        [len(entry.data) for entry in w] for w in folders._in_windows(Entry("x", bytes(n)) for n in sizes)
    ]
    assert windows == [[60, 60], [10, 10, 200], [1]]


PARTS = st.binary(min_size=1, max_size=8).filter(lambda name: not {0, ord("/")} & set(name))
NAMES = st.lists(PARTS.filter(lambda name: name not in (b".", b"..")), min_size=1, max_size=3)
ENDS = st.sampled_from([b".png", b".JPG", b".txt", b""])


@given(st.lists(st.tuples(NAMES, ENDS), max_size=6))
def test_a_folder_is_listed_whole_whatever_the_names_in_it(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("listed")
    written = set()
    for parts, end in names:
        name = os.fsdecode(b"/".join(parts) + end)
        try:
            put(folder, name, b"")
        except OSError:  # a file where another name wants a folder
            continue
        written.add(name)
    listed, refused = folders._list_folder(folder)
    assert listed == sorted(filter(is_picture, written))
    assert refused == []
    # A listing is what the cache goes by: two are alike only when all names and stamps are.
    assert [entry.name for entry in folders._folder_entries(folder, listed, refused, 10)] == listed
