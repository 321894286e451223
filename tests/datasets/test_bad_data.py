"""Data that cannot be used, row by row: what ends a run, what is skipped and named, what is used after all.

A row that ends the run is driven through `ganjax train`: exit code 2, one line that names the thing and the
remedy, and no file written.
"""

import contextlib
import ctypes
import gzip
import os
import resource
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import runs
from pictures import GREEN, RED, encode, make_tar, make_zip, plain, put
from PIL import Image

from ganjax.cli import main as cli
from ganjax.datasets import Resident, archives, load_images
from ganjax.experiments import EXPERIMENTS

SMALL = ["--size", "32", "--width", "1", "--discriminator-width", "1", "--batch", "4", "--cache-dir", "cache"]
FOR_A_TEST = ["--steps", "1", "--out", "run", "--stock-allocator", "--no-compilation-cache"]
NOISE = np.random.default_rng(0)


def photograph():
    return encode(Image.fromarray(NOISE.integers(0, 256, (64, 64, 3), np.uint8)), "JPEG")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder `data`, empty, in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    return Path("data")


def refused(capsys, *words, quiet=True):
    """What `ganjax train` says of the data, when it ends as it should."""
    with pytest.raises(SystemExit) as end:
        cli.main(["train", *words, *FOR_A_TEST, *["--quiet"] * quiet])
    err = capsys.readouterr().err
    assert end.value.code == 2, err
    assert runs.one_line(err) or not quiet
    assert err.replace("\n", "").isprintable() or not quiet
    assert [path for path in Path("run").rglob("*") if not path.is_dir() and path.name != ".lock"] == []
    return err


@contextlib.contextmanager
def rights_that_count():
    """In which rights hold back whoever runs the tests: root gives up what lets it read and write all."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("nothing holds root back here")
    libc, u32 = ctypes.CDLL(None, use_errno=True), ctypes.c_uint32
    header = (u32 * 2)(0x20080522, 0)  # version 3, this thread
    held = (u32 * 6)()  # effective, permitted, inheritable; and the upper halves of them
    assert libc.capget(header, held) == 0
    reduced = (u32 * 6)(*held)
    reduced[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, reduced) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0


# What ends a run.


def missing():
    return "nowhere", ["no such folder or archive: nowhere", "give a folder, .zip or .tar"]


def missing_user():
    return "~no-such-user/faces", ["cannot open ~no-such-user/faces", "give a folder, .zip or .tar"]


def null_byte():
    return "a\0b", ["a\\x00b", "give a folder, .zip or .tar"]


def empty_folder():
    return "data", ["no pictures in data", "give JPEG, PNG, WebP, GIF or BMP files"]


def device():
    return "/dev/zero", ["/dev/zero is neither a folder nor an archive", "give a folder, .zip or .tar"]


def unreadable_folder():
    os.chmod("data", 0)
    return "data", ["cannot read the folder data (Permission denied)", "see to its rights"]


def unreadable_archive():
    make_zip("x.zip", [("a.png", plain())])
    os.chmod("x.zip", 0)
    return "x.zip", ["cannot read the archive x.zip (Permission denied)", "give a folder"]


def text_files_renamed():
    for i in range(3):
        put(Path("data"), f"{i}.png", b"Dear diary")
    return "data", ["none of the 3 pictures in data", "0.png: is no JPEG, PNG,", "give others"]


def truncated_jpegs():
    put(Path("data"), "a.jpg", photograph()[:800])
    return "data", [
        "none of the 1 pictures in data",
        "a.jpg: cannot be read (image file is truncated",
        "give others",
    ]


def too_large_pictures():
    put(Path("data"), "a.png", encode(Image.new("1", (20_000, 20_000))))
    return "data", ["none of the 1 pictures", "a.png: is over the limit of 67108864 pixels", "give others"]


def symlink_loops():
    os.symlink("a.png", "data/a.png")
    return "data", ["none of the 1 pictures", "a.png: cannot be opened (Too many levels of symbolic links)"]


def symlink_loop_for_data():
    os.symlink("loop", "loop")
    return "loop", ["cannot open loop (Too many levels of symbolic links)", "give a folder, .zip or .tar"]


def text_file():
    Path("x.zip").write_text("Dear diary")
    return "x.zip", ["x.zip is neither a folder nor a .zip or .tar archive"]


def zip_cut_short():
    make_zip("x.zip", [("a.png", plain())])
    Path("x.zip").write_bytes(Path("x.zip").read_bytes()[:-10])
    return "x.zip", ["x.zip is neither a folder nor a .zip or .tar archive, or it is a damaged one"]


def tar_cut_short():
    make_tar("x.tar.gz", [("a.png", NOISE.bytes(200_000))], "gz")
    Path("x.tar.gz").write_bytes(Path("x.tar.gz").read_bytes()[:50_000])
    return "x.tar.gz", ["cannot read the archive x.tar.gz (Compressed file ended", "fetch it again"]


def zip_of_outsiders():
    make_zip("x.zip", [(name, plain()) for name in ("../a.png", "/etc/b.png")])
    return "x.zip", ["none of the 2 pictures in x.zip", "../a.png: points outside the archive"]


def encrypted_zip():
    make_zip("x.zip", [("a.png", plain())])
    marked = Path("x.zip").read_bytes().replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
    Path("x.zip").write_bytes(marked)
    return "x.zip", [
        "none of the 1 pictures",
        "a.png: is encrypted",
        "unpack the archive and give the folder",
    ]


def zip_bomb_of_a_large_file():
    make_zip("x.zip", [("a.bmp", bytes(archives.ALWAYS_ALLOWED // 4 + 2**26))])
    return "x.zip", ["none of the 1 pictures", "a.bmp: is over the limit of 285212672 bytes"]


def zip_bomb_of_many_files():
    with zipfile.ZipFile("x.zip", "w") as archive:
        for i in range(20):
            archive.writestr(f"{i}.bmp", b"")
            archive.filelist[-1].file_size = 200_000_000  # believed by whoever adds them up
    return "x.zip", ["x.zip would unpack to more than 1073741824 bytes", "unpack it and give the folder"]


def zip_in_a_zip():
    make_zip("inner.zip", [("a.png", plain())])
    make_zip("x.zip", [("inner.zip", Path("inner.zip").read_bytes())])
    return "x.zip", ["no pictures in x.zip", "archives inside it are not opened"]


def compressed_twice():
    make_tar("x.tar.gz", [("a.png", plain())], "gz")
    Path("x.tar.gz.gz").write_bytes(gzip.compress(Path("x.tar.gz").read_bytes()))
    return "x.tar.gz.gz", ["x.tar.gz.gz is neither a folder nor a .zip or .tar archive"]


def newline_in_the_name():
    return "no\nsuch\x1b[31mfolder", [r"no such folder or archive: no\nsuch\x1b[31mfolder"]


def bytes_that_are_no_text():
    os.mkdir(b"faces\xff")
    return os.fsdecode(b"faces\xff"), [r"no pictures in faces\udcff", "give JPEG"]


@pytest.mark.parametrize(
    "row",
    [
        missing,
        missing_user,
        null_byte,
        empty_folder,
        device,
        unreadable_folder,
        unreadable_archive,
        text_files_renamed,
        truncated_jpegs,
        too_large_pictures,
        symlink_loops,
        symlink_loop_for_data,
        text_file,
        zip_cut_short,
        tar_cut_short,
        zip_of_outsiders,
        encrypted_zip,
        zip_bomb_of_a_large_file,
        zip_bomb_of_many_files,
        zip_in_a_zip,
        compressed_twice,
        newline_in_the_name,
        bytes_that_are_no_text,
    ],
    ids=lambda row: row.__name__,
)
def test_data_that_end_a_run(row, capsys):
    data, said = row()
    with rights_that_count():
        err = refused(capsys, "cartoon", *SMALL, "--data", data)
    for part in said:
        assert part in err
    assert not any(Path("cache").glob("*"))


def tar_bomb_of_a_file_passed_over():
    make_tar("x", [("zeros.txt", bytes(2**23)), ("a.png", plain())], "gz")


def tar_bomb_of_pictures():
    make_tar("x", [(f"{i}.bmp", bytes(2**18)) for i in range(30)], "xz")


def tar_bomb_of_headers():
    make_tar("x", [(f"{i}.txt", b"") for i in range(9000)], "bz2")


@pytest.mark.parametrize(
    "bomb",
    [tar_bomb_of_a_file_passed_over, tar_bomb_of_pictures, tar_bomb_of_headers],
    ids=lambda b: b.__name__,
)
def test_a_tar_bomb_ends_a_run(bomb, capsys, monkeypatch):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 2**22)  # what the real limit lets through takes seconds
    bomb()
    err = refused(capsys, "cartoon", *SMALL, "--data", "x")
    assert f"x would unpack to more than {2**22} bytes" in err
    assert "unpack it and give the folder" in err
    assert not any(Path("cache").glob("*"))


def test_a_batch_larger_than_the_data_ends_a_run(folder, capsys):
    for i in range(3):
        put(folder, f"{i}.png", plain())
    put(folder, "3.png", b"not one")
    err = refused(capsys, "cartoon", *SMALL, "--data", "data")
    assert "--batch 4 is more than the 3 usable pictures of data" in err
    assert "give --batch 3 or less, or more pictures" in err
    err = refused(capsys, "cartoon", *SMALL, "--images", "3")
    assert "--batch 4 is more than --images 3" in err


def test_real_data_that_are_not_finite_end_a_run(capsys, monkeypatch):
    class Spoilt(runs.Dots):
        """Dots, some of which are nowhere."""

        def load(self, progress):
            points = np.ones((20, 2), np.float32)
            points[[13, 17]] = np.nan, np.inf
            return Resident(points), {}

    monkeypatch.setitem(EXPERIMENTS, "spoilt", Spoilt)
    err = refused(capsys, "spoilt")
    assert "sample 13 of the real data holds nan (2 of 20 samples are not finite)" in err
    assert "remove or mend them" in err


@pytest.mark.xfail(strict=True, reason="--overwrite deletes the run before the data are looked at")
def test_a_run_that_is_there_survives_data_that_are_not(capsys):
    run = Path("run")
    runs.RunFolder.create(run).write_manifest({"status": "finished"})
    (run / "samples" / "final.png").write_bytes(plain())
    before = sorted(run.rglob("*"))
    with pytest.raises(SystemExit):
        cli.main(["train", "cartoon", *SMALL, *FOR_A_TEST, "--data", "nowhere", "--overwrite"])
    assert "nowhere" in capsys.readouterr().err
    assert sorted(run.rglob("*")) == before


# The cache folder.


def unwritable():
    Path("cache").mkdir(mode=0o555)
    return "cannot write the cache folder cache (Permission denied)"


def a_file():
    Path("cache").write_text("")
    return "cannot write the cache folder cache (File exists)"


@pytest.mark.parametrize("row", [unwritable, a_file], ids=lambda row: row.__name__)
def test_a_cache_folder_that_cannot_be_written_ends_a_run(row, folder, capsys):
    put(folder, "a.png", plain())
    said = row()
    with rights_that_count():
        err = refused(capsys, "cartoon", *SMALL, "--data", "data")
    assert said in err
    assert "choose another (--cache-dir)" in err


@contextlib.contextmanager
def files_no_larger_than(size):
    """A disk that is full, as far as an ordinary user can have one: writing on fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [1000, 5000])  # a picture takes 3072 bytes
def test_a_full_cache_folder_ends_a_run_and_keeps_no_half_a_set(room, folder, capsys):
    for i in range(8):
        put(folder, f"{i}.png", plain())
    with files_no_larger_than(room):
        err = refused(capsys, "cartoon", *SMALL, "--data", "data")
    assert "cannot write the cache folder cache (File too large)" in err
    assert "make room there, or choose another (--cache-dir)" in err
    assert list(Path("cache").iterdir()) == []


def test_a_damaged_cached_set_is_made_anew(folder):
    put(folder, "a.png", plain(GREEN))
    first = load_images("data", 8, "cache", progress=False)
    (first.path / "images.u8").write_bytes(bytes(8 * 8 * 3))
    again = load_images("data", 8, "cache", progress=False)
    assert (again.images == GREEN).all()
    assert list(Path("cache").iterdir()) == [first.path]


# What is skipped, and said to be, while the others are used.


def folder_with(name, data):
    put(Path("data"), name, data)
    put(Path("data"), "sound.png", plain())
    return "data"


def folder_with_link(target):
    os.symlink(target, "data/a.png")
    return folder_with("sound.png", plain())


def folder_with_fifo():
    os.mkfifo("data/a.png")
    return folder_with("sound.png", plain())


def folder_with_sparse_file():
    with open("data/a.png", "wb") as file:
        file.truncate(2**40)
    return folder_with("sound.png", plain())


def unreadable(name):
    path = folder_with("a.png/b.png" if name == "folder" else "a.png", plain())
    os.chmod("data/a.png", 0)
    return path


def zip_with(name, data=plain()):  # noqa: B008  (bytes do not change)
    make_zip("x", [(name, data), ("sound.png", plain())])
    return "x"


def zip_with_link():
    info = zipfile.ZipInfo("a.png")
    info.external_attr = 0o120777 << 16
    return zip_with(info, b"/etc/passwd")


def zip_with_damage():
    zip_with("a.png")
    with open("x", "r+b") as file:
        file.seek(30 + len("a.png") + 5)  # past the header, in the compressed picture
        file.write(b"damage")
    return "x"


def tar_with(name, kind=tarfile.REGTYPE, data=plain()):  # noqa: B008
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    make_tar("x", [(info, data if kind == tarfile.REGTYPE else b""), ("sound.png", plain())])
    return "x"


def tar_with_holes():
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {"GNU.sparse.size": "200000000", "GNU.sparse.map": "0,0"}
    make_tar("x", [(info, b""), ("sound.png", plain())])
    return "x"


SKIPPED = {
    "text renamed": (lambda: folder_with("a.png", b"Dear diary"), "a.png: is no JPEG, PNG, WebP, GIF or BMP"),
    "empty file": (lambda: folder_with("a.png", b""), "a.png: is no JPEG"),
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
    "link to a device": (lambda: folder_with_link("/dev/zero"), "a.png: is not a plain file"),
    "fifo": (folder_with_fifo, "a.png: is not a plain file"),
    "unreadable file": (lambda: unreadable("file"), "a.png: cannot be opened (Permission denied)"),
    "unreadable folder": (lambda: unreadable("folder"), "a.png: cannot be searched (Permission denied)"),
    "space in a name": (lambda: folder_with("a b.png", b""), "a b.png: is no JPEG"),
    "newline in a name": (lambda: folder_with("a\nb.png", b""), r"a\nb.png: is no JPEG"),
    "escape in a name": (lambda: folder_with("a\x1b[2J.png", b""), r"a\x1b[2J.png: is no JPEG"),
    "no text in a name": (lambda: folder_with(os.fsdecode(b"a\xff.png"), b""), r"a\udcff.png: is no JPEG"),
    "zip, up": (lambda: zip_with("../a.png"), "../a.png: points outside the archive"),
    "zip, down and up": (lambda: zip_with("a/../../b.png"), "a/../../b.png: points outside"),
    "zip, absolute": (lambda: zip_with("/a.png"), "/a.png: points outside the archive"),
    "zip, up in Windows": (lambda: zip_with("..\\a.png"), "..\\a.png: points outside"),
    "zip, a drive": (lambda: zip_with("C:\\a.png"), "C:\\a.png: points outside"),
    "zip, newline in a name": (lambda: zip_with("a\nb.png", b""), r"a\nb.png: is no JPEG"),
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
    "tar, holes": (tar_with_holes, "a.png: is a link, a device or a sparse file"),
    "tar, no text in a name": (
        lambda: tar_with(os.fsdecode(b"a\xff.png"), data=b""),
        r"a\udcff.png: is no JPEG",
    ),
}


@pytest.mark.parametrize("row", SKIPPED)
def test_what_is_skipped_and_named(row):
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


def test_a_run_names_what_it_skips(folder, capsys):
    put(folder, "a\nb.png", b"")
    for i in range(3):
        put(folder, f"{i}.png", plain())
    # Three are too few for a batch, which is found out last.
    err = refused(capsys, "cartoon", *SMALL, "--data", "data", quiet=False)
    assert r"skipped 1 unreadable files: a\nb.png: is no JPEG" in err


# What is unusual, and used.


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
def test_what_is_unusual_and_used(row, folder):
    data, color = USED[row]
    put(folder, "a.png", data)
    found = load_images(folder, 8, "cache", progress=False)
    assert found.skipped == ()
    np.testing.assert_allclose(found.images.astype(int), np.broadcast_to(color, (1, 8, 8, 3)), atol=2)


@pytest.mark.parametrize(
    "name", ["a b.png", "a\nb.png", "é ü.png", os.fsdecode(b"a\xff.png"), "-rf.png", "a\\b.png"]
)
def test_pictures_of_any_name_are_used(name, folder):
    put(folder, name, plain())
    put(folder, f"{name[:-4]}/{name}", plain())
    assert len(load_images(folder, 8, "cache", progress=False)) == 2
    make_tar("x.tar", [(name, plain())])
    assert len(load_images("x.tar", 8, "cache", progress=False)) == 1
    make_zip("x.zip", [(name.encode("utf-8", "replace").decode(), plain())])
    assert len(load_images("x.zip", 8, "cache", progress=False)) == 1


def test_a_folder_that_holds_itself_is_read_once(folder):
    put(folder, "a.png", plain())
    os.symlink(".", "data/again")
    assert len(load_images(folder, 8, "cache", progress=False)) == 1


def test_16_bits_a_channel_are_used(folder):
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0" + struct.pack(">HHH", 0, 250 * 257, 0))
    chunks = [(b"IHDR", header), (b"IDAT", pixel), (b"IEND", b"")]
    sealed = [struct.pack(">I", len(c)) + t + c + struct.pack(">I", zlib.crc32(t + c)) for t, c in chunks]
    put(folder, "a.png", b"\x89PNG\r\n\x1a\n" + b"".join(sealed))
    assert (load_images(folder, 8, "cache", progress=False).images == GREEN).all()
