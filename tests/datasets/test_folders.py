"""Pictures from folders and archives: which are used, how they are decoded, and how others are named."""

import os
import struct

import numpy as np
import pytest
from pictures import BLUE, GREEN, RED, encode, make_tar, make_zip, plain, put, tiff
from PIL import Image, ImageFile, features

from ganjax.datasets import folders, images
from ganjax.datasets.archives import Entry
from ganjax.datasets.folders import load_images


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


def test_a_folder_is_searched_with_its_subfolders_in_sorted_order(folder, load):
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


EXTENSIONS = {
    "JPEG": ["jpg", "jpeg", "jfif", "jpe"],
    "PNG": ["png", "apng"],
    "WEBP": ["webp"],
    "GIF": ["gif"],
    "BMP": ["bmp"],
    "TIFF": ["tif", "tiff"],
    "JPEG2000": ["jp2", "j2k"],
    "AVIF": ["avif"],
    "PPM": ["ppm", "pgm", "pnm"],
    "QOI": ["qoi"],
}


@pytest.fixture
def put_together(tmp_path, folder):
    """Makes a folder, a .zip or a .tar of files, name -> content, and returns its path."""

    def make(form, files):
        if form == "folder":
            for name, data in files.items():
                put(folder, name, data)
            return folder
        {"zip": make_zip, "tar": make_tar}[form](tmp_path / f"pictures.{form}", files.items())
        return tmp_path / f"pictures.{form}"

    return make


UNKNOWN = "is not a picture in a format that is read"
FORMS = pytest.mark.parametrize("form", ["folder", "zip", "tar"])


@FORMS
@pytest.mark.parametrize("kind", EXTENSIONS)
def test_every_format_is_read_by_each_of_its_extensions_and_without_one(put_together, load, form, kind):
    if kind in images._FORMATS.keys() - images.formats():
        pytest.skip(f"this Pillow has no {kind}")
    picture = plain((200, 0, 0), (16, 16), kind)
    names = [*(f"x.{end}" for end in EXTENSIONS[kind]), "X." + EXTENSIONS[kind][0].upper(), "bare", "photo.1"]
    found = load(put_together(form, dict.fromkeys(names, picture)))
    assert (len(found), found.skipped) == (len(names), ())
    assert np.abs(found.images.astype(int) - [200, 0, 0]).max() <= 4


def test_every_format_that_is_read_is_tested():
    assert set(EXTENSIONS) == set(images._FORMATS)
    assert len(images.FORMAT_NAMES.replace(" or", ",").split(", ")) == len(EXTENSIONS)


@FORMS
def test_95_tiffs_beside_5_pngs_are_100_pictures(put_together, load, form):
    files = {f"{i}.png": plain() for i in range(5)} | {f"{i}.tif": plain(kind="TIFF") for i in range(95)}
    found = load(put_together(form, files))
    assert (len(found), found.skipped) == (100, ())


@FORMS
def test_a_format_that_this_pillow_does_not_support_is_named(put_together, load, form, monkeypatch):
    check = features.check
    monkeypatch.setattr(features, "check", lambda part: part != "avif" and check(part))
    for cached in (images.formats, images.picture_extensions):
        cached.cache_clear()
    path = put_together(form, {"a.png": plain(), "b.avif": plain(kind="AVIF"), "c": plain(kind="AVIF")})
    lacking = load(path)
    assert len(lacking) == 1
    assert lacking.skipped == (
        "b.avif: .avif files are not read",
        "c: is not a picture in a format that is read",
    )
    monkeypatch.undo()
    for cached in (images.formats, images.picture_extensions):
        cached.cache_clear()
    assert len(load(path)) == 3  # not the set that was cached


BESIDE = {
    "README": b"Faces, drawn by hand.",
    "_SUCCESS": b"",
    "Thumbs.db": b"\xd0\xcf\x11\xe0" + bytes(500),
    ".DS_Store": b"\0\0\0\1Bud1",
    "desktop.ini": "[ViewState]".encode("utf-16"),
    "captions/0.txt": b"a face",
    "list.csv": b"file,width\n0.png,10",
    "annotations.JSON": b"{}",
    "__MACOSX/._0.png": b"\0\5\x16\7",
    ".thumbnails/0.png": plain(),
}


@FORMS
def test_files_that_are_obviously_not_pictures_are_ignored(put_together, load, form):
    found = load(put_together(form, {"0.png": plain(), **BESIDE}))
    assert (len(found), found.skipped) == (1, ())


OTHERS = {
    "a.heic": b"\0\0\0\x18ftypheic",
    "b.psd": b"8BPS",
    "c.svg": b"<svg/>",
    "d.pdf": b"%PDF-1.7",
    "e.eps": b"%!PS-Adobe-3.0 EPSF-3.0",
    "f.zip": b"PK\3\4",
    "g.npy": b"\x93NUMPY",
    "h.mp4": b"\0\0\0\x18ftypmp42",
    "i": b"\0\1\2\3",
    "j.dng": plain(kind="TIFF"),  # raw data of a camera; read as TIFF, it is a small preview
}


@FORMS
def test_other_files_are_named_with_the_reason(put_together, load, form):
    found = load(put_together(form, {"0.png": plain(), **OTHERS}))
    reasons = {name: f"{os.path.splitext(name)[1]} files are not read" for name in OTHERS}
    reasons["i"] = UNKNOWN
    assert len(found) == 1
    assert found.skipped == tuple(f"{name}: {reason}" for name, reason in reasons.items())


@FORMS
def test_no_program_is_started_for_postscript_named_like_a_picture(put_together, load, form, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", None)
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    found = load(put_together(form, {"a.png": postscript, "b": postscript + b"\0", "c.jpg": plain()}))
    assert len(found) == 1
    assert found.skipped == tuple(
        f"{name}: is not a picture in a format that is read" for name in ("a.png", "b")
    )


def test_a_changed_text_does_not_rebuild_the_set(folder, load):
    put(folder, "a.png", plain())
    put(folder, "a.txt", b"a face")
    first = load(folder)
    put(folder, "a.txt", b"a red square")
    put(folder, "b.json", b"{}")
    assert load(folder).path == first.path
    put(folder, "b", plain(GREEN))
    assert len(load(folder)) == 2


# More than 8 bits per channel.


@pytest.mark.parametrize(
    ("pixels", "bits"),
    [(struct.pack("<4H", *[200 * 257] * 4), 16), (bytes.fromhex("c80c80"), 12), (bytes([200] * 4), 8)],
)
def test_grey_tiffs_of_any_depth_keep_their_brightness(folder, load, pixels, bits):
    put(folder, "a.tif", tiff(pixels, bits))
    found = load(folder)
    assert found.skipped == ()
    assert np.unique(found.images).tolist() == [200]


@pytest.mark.parametrize(
    ("pixels", "bits", "sample_format"),
    [
        (struct.pack("<4f", 0, 0.2, 0.5, 1), 32, 3),
        (struct.pack("<4I", 0, 9, 99, 70_000), 32, 1),
        (struct.pack("<4h", -5, 0, 5, 9), 16, 2),
    ],
)
def test_pixels_of_unknown_range_are_named_and_not_clipped(folder, load, pixels, bits, sample_format):
    put(folder, "a.tif", tiff(pixels, bits, sample_format))
    put(folder, "b.png", plain())
    found = load(folder)
    assert len(found) == 1
    (line,) = found.skipped
    assert line.startswith("a.tif: cannot be read (its pixels may have any range: save it with 8 or 16 bits")


def test_a_portable_greymap_of_16_bits_is_scaled(folder, load):
    put(folder, "a.pgm", b"P5 1 1 65535\n" + struct.pack(">H", 200 * 257))
    put(folder, "b.pgm", b"P2 1 1 1000\n784\n")
    assert np.unique(load(folder).images).tolist() == [200]


def test_a_tiff_is_rotated_and_its_first_page_is_used(folder, load):
    image = Image.new("RGB", (64, 64), RED)
    image.paste(BLUE, (0, 0, 64, 32))  # blue above red as stored
    page = Image.new("RGB", (64, 64), GREEN)
    options = {"save_all": True, "append_images": [page], "compression": "tiff_lzw"}
    put(folder, "x.tif", encode(image, "TIFF", tiffinfo={274: 6}, **options))
    picture = load(folder).images[0].astype(int)
    assert picture[4, 6, 2] > 200 > 60 > picture[4, 1, 2]  # blue on the right now
    assert picture[..., 1].max() < 60


def test_exif_orientation_is_applied(folder, load):
    image = Image.new("RGB", (64, 64), RED)
    image.paste(BLUE, (0, 0, 64, 32))  # blue above red as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by 90 degrees clockwise
    put(folder, "x.jpg", encode(image, "JPEG", exif=exif, quality=95))
    picture = load(folder).images[0].astype(int)
    assert picture[4, 6, 2] > 200 > 60 > picture[4, 1, 2]  # blue on the right now


def test_transparent_pixels_become_white(folder, load):
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
    assert np.abs(inner.astype(int) - 127).max() <= 8  # grey; without antialiasing, 0 or 255


def test_a_picture_over_the_pixel_limit_is_not_decoded(folder, load, monkeypatch):
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


def test_a_size_of_zero_is_refused(folder, load):
    with pytest.raises(ValueError, match="size"):
        load(folder, size=0)


def test_many_pictures_keep_their_order(folder, load):
    for i in range(150):
        put(folder, f"{i:03}.png", plain((i, 0, 0), size=(2, 2)))
    np.testing.assert_array_equal(load(folder, size=2).images[:, 0, 0, 0], np.arange(150))


def test_few_large_files_are_in_memory_at_once(monkeypatch):
    monkeypatch.setattr(folders, "_WINDOW_BYTES", 100)
    sizes = [60, 60, 10, 10, 200, 1]
    windows = [
        [len(entry.data) for entry in w] for w in folders._in_windows(Entry("x", bytes(n)) for n in sizes)
    ]
    assert windows == [[60, 60], [10, 10, 200], [1]]
