"""Pictures from folders and archives come out upright, square and safe."""

import io
import os
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageFile

from ganjax.datasets.folders import load_images
from ganjax.errors import UserError

RED, GREEN, BLUE = (250, 0, 0), (0, 250, 0), (0, 0, 250)


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(color=RED, size=(10, 10), kind="PNG") -> bytes:
    return encode(Image.new("RGB", size, color), kind)


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


def put(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


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


def test_the_first_frame_of_an_animation(folder, load):
    frames = [Image.new("RGB", (9, 9), c) for c in (BLUE, RED)]
    put(folder, "x.gif", encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    np.testing.assert_array_equal(load(folder).images[0, 0, 0], BLUE)


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


def test_sixteen_bits_are_scaled_not_clipped(folder, load):
    grey = np.full((8, 8), 128 * 256, np.uint16)
    put(folder, "x.png", encode(Image.fromarray(grey)))
    assert (load(folder).images == 128).all()


def test_other_modes_are_read(folder, load):
    put(folder, "1.png", encode(Image.new("1", (8, 8), 1)))
    put(folder, "2.jpg", encode(Image.new("CMYK", (8, 8), (0, 0, 0, 255)), "JPEG"))
    found = load(folder)
    assert (found.images[0] == 255).all()
    assert (found.images[1] < 5).all()


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


def test_unreadable_files_are_named_and_skipped(folder, load):
    put(folder, "a.png", plain())
    put(folder, "b.png", b"not a png at all")
    put(folder, "c.png", plain(size=(300, 300))[:100])
    os.symlink(folder / "missing.png", folder / "d.png")
    os.mkfifo(folder / "e.png")
    found = load(folder)
    assert len(found) == 1
    assert [s.split(":")[0] for s in found.skipped] == ["b.png", "c.png", "d.png", "e.png"]
    assert all("\n" not in s for s in found.skipped)
    assert load(folder).skipped == found.skipped  # from the cache as well


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


def test_the_default_limit_stops_a_small_file_of_many_pixels(folder, load):
    put(folder, "a.png", plain())
    put(folder, "bomb.png", encode(Image.new("1", (9000, 9000))))
    assert "over the limit of 67108864 pixels" in load(folder).skipped[0]


def make_zip(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def test_a_zip_is_read_in_its_own_order_without_extraction(tmp_path, load):
    path = tmp_path / "x.zip"
    make_zip(path, [("d/", b""), ("d/b.png", plain(GREEN)), ("a.bmp", plain(BLUE, kind="BMP"))])
    before = sorted(tmp_path.iterdir())
    found = load(path)
    assert colors(found) == [(0, 250, 0), (0, 0, 250)]
    assert sorted(p for p in tmp_path.iterdir() if p.name != "cache") == before


def test_a_zip_entry_that_points_outside_or_is_a_link_is_refused(tmp_path, load):
    path = tmp_path / "x.zip"
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    outside = ["../up.png", "/root.png", "a/../../b.png", "..\\win.png", "C:\\disk.png"]
    make_zip(path, [*((n, plain()) for n in outside), (link, b"/etc/x.png"), ("ok.png", plain())])
    found = load(path)
    assert len(found) == 1
    assert sum("points outside" in s for s in found.skipped) == 5
    assert any(s == "link.png: is a link" for s in found.skipped)


def test_a_zip_bomb_is_not_unpacked(tmp_path, load):
    path = tmp_path / "x.zip"
    make_zip(path, [("bomb.png", bytes(2**24 + 500_000)), ("ok.png", plain())])
    found = load(path, max_pixels=10_000)
    assert len(found) == 1
    assert "over the limit" in found.skipped[0]


@pytest.mark.parametrize("mode", ["", ":gz", ":bz2", ":xz"])
def test_a_tar_is_read_and_its_links_and_outsiders_refused(tmp_path, load, mode):
    path = tmp_path / "x.tar"
    with tarfile.open(path, f"w{mode}") as archive:
        for name in ("./d/ok.png", "../up.png", "/root.png"):
            info = tarfile.TarInfo(name)
            info.size = len(plain())
            archive.addfile(info, io.BytesIO(plain()))
        for name, kind in (("s.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        fifo = tarfile.TarInfo("f.png")
        fifo.type = tarfile.FIFOTYPE
        archive.addfile(fifo)
    found = load(path)
    assert len(found) == 1
    assert len(found.skipped) == 5
    assert sum("points outside" in s for s in found.skipped) == 2


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


def test_users_mistakes_end_in_one_clear_line(tmp_path, folder, load):
    def message(path):
        with pytest.raises(UserError) as caught:
            load(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
        return str(caught.value)

    assert "no such folder" in message(tmp_path / "nowhere")
    assert "no pictures" in message(folder)
    put(folder, "a.png", b"junk")
    put(folder, "b.png", b"junk")
    assert "none of the 2 pictures" in message(folder)
    put(tmp_path, "x.txt", b"text")
    assert "neither a folder nor" in message(tmp_path / "x.txt")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        info = tarfile.TarInfo("a.png")
        info.size = 200_000
        archive.addfile(info, io.BytesIO(np.random.default_rng(0).bytes(200_000)))
    put(tmp_path, "cut.tar.gz", data.getvalue()[:50_000])
    assert "broken" in message(tmp_path / "cut.tar.gz")
    assert not any((tmp_path / "cache").iterdir())
    with pytest.raises(ValueError, match="size"):
        load(folder, size=0)


def test_more_pictures_than_are_held_at_once_keep_their_order(folder, load):
    for i in range(150):
        put(folder, f"{i:03}.png", plain((i, 0, 0), size=(2, 2)))
    np.testing.assert_array_equal(load(folder, size=2).images[:, 0, 0, 0], np.arange(150))
