"""Unusual files: those that are skipped and named while the others are used, and those that are used."""

import os
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from pictures import GREEN, RED, encode, make_tar, make_zip, photograph, plain, put
from PIL import Image
from rights import rights_that_count

from ganjax.datasets import load_images

pytestmark = pytest.mark.usefixtures("data")  # an empty folder `data` in a working folder of the test's own


# Skipped and named, while the others are used.


def folder_with(name, data):
    put(Path("data"), name, data)
    put(Path("data"), "intact.png", plain())
    return "data"


def folder_with_link(target):
    os.symlink(target, "data/a.png")
    return folder_with("intact.png", plain())


def folder_with_fifo():
    os.mkfifo("data/a.png")
    return folder_with("intact.png", plain())


def folder_with_sparse_file():
    with open("data/a.png", "wb") as file:
        file.truncate(2**40)
    return folder_with("intact.png", plain())


def unreadable(name):
    path = folder_with("a.png/b.png" if name == "folder" else "a.png", plain())
    os.chmod("data/a.png", 0)
    return path


def zip_with(name, data=plain()):  # noqa: B008  (bytes do not change)
    make_zip("x", [(name, data), ("intact.png", plain())])
    return "x"


def zip_with_link():
    info = zipfile.ZipInfo("a.png")
    info.external_attr = 0o120777 << 16
    return zip_with(info, b"/etc/passwd")


def zip_with_damage():
    zip_with("a.png")
    with open("x", "r+b") as file:
        file.seek(30 + len("a.png") + 5)  # after the header, in the compressed picture
        file.write(b"damage")
    return "x"


def tar_with(name, kind=tarfile.REGTYPE, data=plain()):  # noqa: B008
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    make_tar("x", [(info, data if kind == tarfile.REGTYPE else b""), ("intact.png", plain())])
    return "x"


def tar_with_holes():
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {"GNU.sparse.size": "200000000", "GNU.sparse.map": "0,0"}
    make_tar("x", [(info, b""), ("intact.png", plain())])
    return "x"


SKIPPED = {
    "text renamed": (
        lambda: folder_with("a.png", b"Dear diary"),
        "a.png: is not a picture in a format that is read",
    ),
    "empty file": (lambda: folder_with("a.png", b""), "a.png: is not a picture"),
    "truncated JPEG": (
        lambda: folder_with("a.jpg", photograph()[:800]),
        "a.jpg: cannot be read (image file is",
    ),
    "truncated PNG": (lambda: folder_with("a.png", plain(size=(300, 300))[:100]), "a.png: cannot be read ("),
    "20000 x 20000": (
        lambda: folder_with("a.png", encode(Image.new("1", (20_000, 20_000)))),
        "a.png: is over the limit of 67108864 pixels",
    ),
    "9000 x 9000": (
        lambda: folder_with("a.png", encode(Image.new("1", (9000, 9000)))),
        "a.png: cannot be read (9000 x 9000 is over the limit of 67108864 pixels)",
    ),
    "a file of a terabyte": (folder_with_sparse_file, "a.png: is over the limit of 285212672 bytes"),
    "link to itself": (
        lambda: folder_with_link("a.png"),
        "a.png: cannot be opened (Too many levels of symbolic",
    ),
    "link to nothing": (lambda: folder_with_link("nowhere"), "a.png: cannot be opened (No such file"),
    "link to a device": (lambda: folder_with_link("/dev/zero"), "a.png: is not a regular file"),
    "fifo": (folder_with_fifo, "a.png: is not a regular file"),
    "unreadable file": (lambda: unreadable("file"), "a.png: cannot be opened (Permission denied)"),
    "unreadable folder": (lambda: unreadable("folder"), "a.png: cannot be searched (Permission denied)"),
    "name with a space": (lambda: folder_with("a b.png", b""), "a b.png: is not a picture"),
    "name with a newline": (lambda: folder_with("a\nb.png", b""), r"a\nb.png: is not a picture"),
    "name with an escape": (lambda: folder_with("a\x1b[2J.png", b""), r"a\x1b[2J.png: is not a picture"),
    "name that is not text": (
        lambda: folder_with(os.fsdecode(b"a\xff.png"), b""),
        r"a\udcff.png: is not a picture",
    ),
    "zip, up": (lambda: zip_with("../a.png"), "../a.png: points outside the archive"),
    "zip, down and up": (lambda: zip_with("a/../../b.png"), "a/../../b.png: points outside"),
    "zip, absolute": (lambda: zip_with("/a.png"), "/a.png: points outside the archive"),
    "zip, up, on Windows": (lambda: zip_with("..\\a.png"), "..\\a.png: points outside"),
    "zip, a drive": (lambda: zip_with("C:\\a.png"), "C:\\a.png: points outside"),
    "zip, name with a newline": (lambda: zip_with("a\nb.png", b""), r"a\nb.png: is not a picture"),
    "zip, link": (zip_with_link, "a.png: is a link"),
    "zip, damage": (zip_with_damage, "a.png: cannot be unpacked ("),
    "zip bomb": (
        lambda: zip_with("a.bmp", bytes(2**28 + 2**25)),
        "a.bmp: is over the limit of 285212672 bytes",
    ),
    "tar, up": (lambda: tar_with("../a.png"), "../a.png: points outside the archive"),
    "tar, absolute": (lambda: tar_with("/a.png"), "/a.png: points outside the archive"),
    "tar, symbolic link": (lambda: tar_with("a.png", tarfile.SYMTYPE), "a.png: is a link, a device"),
    "tar, hard link": (lambda: tar_with("a.png", tarfile.LNKTYPE), "a.png: is a link, a device"),
    "tar, fifo": (lambda: tar_with("a.png", tarfile.FIFOTYPE), "a.png: is a link, a device"),
    "tar, sparse file": (tar_with_holes, "a.png: is a link, a device or a sparse file"),
    "tar, name that is not text": (
        lambda: tar_with(os.fsdecode(b"a\xff.png"), data=b""),
        r"a\udcff.png: is not a picture",
    ),
}


@pytest.mark.parametrize("row", SKIPPED)
def test_skipped_and_named(row):
    arrange, said = SKIPPED[row]
    path = arrange()
    before = sorted(Path(".").rglob("*"))
    with rights_that_count():
        found = load_images(path, 8, "cache", progress=False)
    assert (found.images == RED).all()
    assert len(found) == 1
    (line,) = found.skipped
    assert line.startswith(said)
    assert line.isprintable()
    assert [p for p in sorted(Path(".").rglob("*")) if p.parts[0] != "cache"] == before
    with rights_that_count():
        assert (
            load_images(path, 8, "cache", progress=False).skipped == found.skipped
        )  # from the cache as well


# Unusual, and used.


def pages(kind, **options):
    first, second = (Image.new("RGB", (9, 9), color) for color in (GREEN, RED))
    return encode(first, kind, save_all=True, append_images=[second], **options)


USED = {
    "1 x 1": (plain(GREEN, (1, 1)), GREEN),
    "1 x 500": (plain(GREEN, (1, 500)), GREEN),
    "CMYK": (encode(Image.new("CMYK", (8, 8), (255, 0, 255, 0)), "JPEG", quality=95), (0, 255, 0)),
    "16 bits, grey": (encode(Image.fromarray(np.full((8, 8), 128 * 256, np.uint16))), (128, 128, 128)),
    "palette": (encode(Image.new("RGB", (8, 8), GREEN).convert("P", palette=Image.Palette.ADAPTIVE)), GREEN),
    "one bit": (encode(Image.new("1", (8, 8), 1)), (255, 255, 255)),
    "grey with transparency": (encode(Image.new("LA", (8, 8), (0, 0))), (255, 255, 255)),
    "animated GIF": (pages("GIF"), GREEN),
    "animated PNG": (pages("PNG"), GREEN),
    "animated WebP": (pages("WEBP", lossless=True), GREEN),
}


@pytest.mark.parametrize("row", USED)
def test_unusual_and_used(row, data):
    content, color = USED[row]
    put(data, "a.png", content)
    found = load_images(data, 8, "cache", progress=False)
    assert found.skipped == ()
    np.testing.assert_allclose(found.images.astype(int), np.broadcast_to(color, (1, 8, 8, 3)), atol=2)


@pytest.mark.parametrize(
    "name", ["a b.png", "a\nb.png", "é ü.png", os.fsdecode(b"a\xff.png"), "-rf.png", "a\\b.png"]
)
def test_pictures_of_any_name_are_used(name, data):
    put(data, name, plain())
    put(data, f"{name[:-4]}/{name}", plain())
    assert len(load_images(data, 8, "cache", progress=False)) == 2
    make_tar("x.tar", [(name, plain())])
    assert len(load_images("x.tar", 8, "cache", progress=False)) == 1
    make_zip("x.zip", [(name.encode("utf-8", "replace").decode(), plain())])
    assert len(load_images("x.zip", 8, "cache", progress=False)) == 1


def test_a_folder_with_a_link_to_itself_is_read_once(data):
    put(data, "a.png", plain())
    os.symlink(".", "data/again")
    found = load_images(data, 8, "cache", progress=False)
    assert len(found) == 1
    assert found.skipped == ("again: is a link to a folder that contains it",)


def test_16_bits_per_channel_are_used(data):
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0" + struct.pack(">HHH", 0, 250 * 257, 0))
    chunks = [(b"IHDR", header), (b"IDAT", pixel), (b"IEND", b"")]
    sealed = [struct.pack(">I", len(c)) + t + c + struct.pack(">I", zlib.crc32(t + c)) for t, c in chunks]
    put(data, "a.png", b"\x89PNG\r\n\x1a\n" + b"".join(sealed))
    assert (load_images(data, 8, "cache", progress=False).images == GREEN).all()
