"""Data that cannot be used end a run: with one line that says what is wrong and what to do, and no files.

Files that are only skipped, or used, are in test_odd_pictures.py.
"""

import contextlib
import gzip
import os
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest
import small_runs
from pictures import GREEN, encode, make_tar, make_zip, photograph, plain, put
from PIL import Image
from rights import rights_that_count

from ganjax.cli import main as cli
from ganjax.datasets import Resident, archives, load_images
from ganjax.experiments import EXPERIMENTS

SMALL = ["--size", "32", "--width", "1", "--discriminator-width", "1", "--batch", "4", "--cache-dir", "cache"]
FOR_A_TEST = ["--steps", "1", "--out", "run", "--stock-allocator", "--no-compilation-cache"]

pytestmark = pytest.mark.usefixtures("data")  # an empty folder `data` in a working folder of the test's own


def refused(capsys, *words, quiet=True):
    """What `ganjax train` prints when it refuses the data."""
    with pytest.raises(SystemExit) as end:
        cli.main(["train", *words, *FOR_A_TEST, *["--quiet"] * quiet])
    err = capsys.readouterr().err
    assert end.value.code == 2, err
    assert small_runs.one_line(err) or not quiet
    assert err.replace("\n", "").isprintable() or not quiet
    assert [path for path in Path("run").rglob("*") if not path.is_dir() and path.name != ".lock"] == []
    return err


# Data that end a run.


def missing():
    return "nowhere", ["no such folder or archive: nowhere", "give a folder, .zip or .tar"]


def missing_user():
    return "~no-such-user/faces", ["cannot open ~no-such-user/faces", "give a folder, .zip or .tar"]


def null_byte():
    return "a\0b", ["a\\x00b", "give a folder, .zip or .tar"]


def empty_folder():
    return "data", ["no usable pictures in data", "give JPEG, PNG, WebP,"]


def device():
    return "/dev/zero", ["/dev/zero is not a folder or an archive", "give a folder, .zip or .tar"]


def unreadable_folder():
    os.chmod("data", 0)
    return "data", ["cannot read the folder data (Permission denied)", "check its permissions"]


def unreadable_archive():
    make_zip("x.zip", [("a.png", plain())])
    os.chmod("x.zip", 0)
    return "x.zip", ["cannot read the archive x.zip (Permission denied)", "give a folder"]


def text_files_renamed():
    for i in range(3):
        put(Path("data"), f"{i}.png", b"Dear diary")
    return "data", [
        "no usable pictures in data",
        "not used: 0.png: is not a picture in a format that is read, and 2 more",
        "give JPEG, PNG,",
    ]


def truncated_jpegs():
    put(Path("data"), "a.jpg", photograph()[:800])
    return "data", [
        "no usable pictures in data",
        "a.jpg: cannot be read (image file is truncated",
        "give JPEG, PNG,",
    ]


def too_large_pictures():
    put(Path("data"), "a.png", encode(Image.new("1", (20_000, 20_000))))
    return "data", [
        "no usable pictures in",
        "a.png: is over the limit of 67108864 pixels",
        "give JPEG, PNG,",
    ]


def symlink_loops():
    os.symlink("a.png", "data/a.png")
    return "data", ["no usable pictures in", "a.png: cannot be opened (Too many levels of symbolic links)"]


def symlink_loop_for_data():
    os.symlink("loop", "loop")
    return "loop", ["cannot open loop (Too many levels of symbolic links)", "give a folder, .zip or .tar"]


def text_file():
    Path("x.zip").write_text("Dear diary")
    return "x.zip", ["x.zip is not a folder, nor a .zip or .tar archive (or it is damaged)"]


def zip_cut_short():
    make_zip("x.zip", [("a.png", plain())])
    Path("x.zip").write_bytes(Path("x.zip").read_bytes()[:-10])
    return "x.zip", ["x.zip is not a folder, nor a .zip or .tar archive (or it is damaged)"]


def tar_cut_short():
    make_tar("x.tar.gz", [("a.png", np.random.default_rng(0).bytes(200_000))], "gz")
    Path("x.tar.gz").write_bytes(Path("x.tar.gz").read_bytes()[:50_000])
    return "x.tar.gz", ["cannot read the archive x.tar.gz (Compressed file ended", "download it again"]


def zip_of_outsiders():
    make_zip("x.zip", [(name, plain()) for name in ("../a.png", "/etc/b.png")])
    return "x.zip", ["no usable pictures in x.zip", "../a.png: points outside the archive"]


def encrypted_zip():
    make_zip("x.zip", [("a.png", plain())])
    marked = Path("x.zip").read_bytes().replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
    Path("x.zip").write_bytes(marked)
    return "x.zip", [
        "no usable pictures in",
        "a.png: is encrypted",
        "unpack the archive and give the folder",
    ]


def zip_bomb_of_a_large_file():
    make_zip("x.zip", [("a.bmp", bytes(archives.ALWAYS_ALLOWED // 4 + 2**26))])
    return "x.zip", ["no usable pictures in", "a.bmp: is over the limit of 285212672 bytes"]


def zip_bomb_of_many_files():
    with zipfile.ZipFile("x.zip", "w") as archive:
        for i in range(20):
            archive.writestr(f"{i}.bmp", b"")
            archive.filelist[-1].file_size = 200_000_000  # read_archive adds up what the archive states
    return "x.zip", ["x.zip would unpack to more than 1073741824 bytes", "unpack it and give the folder"]


def zip_in_a_zip():
    make_zip("inner.zip", [("a.png", plain())])
    make_zip("x.zip", [("inner.zip", Path("inner.zip").read_bytes())])
    return "x.zip", [
        "no usable pictures in x.zip",
        "archives inside it are not opened",
        "inner.zip: .zip files",
    ]


def compressed_twice():
    make_tar("x.tar.gz", [("a.png", plain())], "gz")
    Path("x.tar.gz.gz").write_bytes(gzip.compress(Path("x.tar.gz").read_bytes()))
    return "x.tar.gz.gz", ["x.tar.gz.gz is not a folder, nor a .zip or .tar archive"]


def newline_in_the_name():
    return "no\nsuch\x1b[31mfolder", [r"no such folder or archive: no\nsuch\x1b[31mfolder"]


def bytes_that_are_no_text():
    os.mkdir(b"faces\xff")
    return os.fsdecode(b"faces\xff"), [r"no usable pictures in faces\udcff", "give JPEG"]


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
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 2**22)  # up to the real limit, it would take seconds
    bomb()
    err = refused(capsys, "cartoon", *SMALL, "--data", "x")
    assert f"x would unpack to more than {2**22} bytes" in err
    assert "unpack it and give the folder" in err
    assert not any(Path("cache").glob("*"))


def test_a_batch_larger_than_the_data_ends_a_run(data, capsys):
    for i in range(3):
        put(data, f"{i}.png", plain())
    put(data, "3.png", b"not one")
    err = refused(capsys, "cartoon", *SMALL, "--data", "data")
    assert "--batch 4 is more than the 3 usable pictures of data" in err
    assert "give --batch 3 or less, or more pictures" in err
    err = refused(capsys, "cartoon", *SMALL, "--images", "3")
    assert "--batch 4 is more than --images 3" in err


def test_real_data_that_are_not_finite_end_a_run(capsys, monkeypatch):
    class Spoilt(small_runs.Dots):
        """Dots, some of which are not finite."""

        def load(self, progress):
            points = np.ones((20, 2), np.float32)
            points[[13, 17]] = np.nan, np.inf
            return Resident(points), {}

    monkeypatch.setitem(EXPERIMENTS, "spoilt", Spoilt)
    err = refused(capsys, "spoilt")
    assert "sample 13 of the real data contains nan (2 of 20 samples are not finite)" in err
    assert "remove or correct them" in err


def test_an_existing_run_is_kept_if_the_new_data_do_not_exist(capsys):
    run = Path("run")
    small_runs.RunFolder.create(run).write_manifest({"status": "finished"})
    (run / "samples").mkdir()
    (run / "samples" / "final.png").write_bytes(plain())
    before = sorted(run.rglob("*"))
    with pytest.raises(SystemExit):
        cli.main(["train", "cartoon", *SMALL, *FOR_A_TEST, "--data", "nowhere", "--overwrite"])
    assert "nowhere" in capsys.readouterr().err
    assert sorted(run.rglob("*")) == before


def test_a_run_names_what_it_skips(data, capsys):
    put(data, "a\nb.png", b"")
    for i in range(3):
        put(data, f"{i}.png", plain())
    # Three are too few for a batch, which is checked last.
    err = refused(capsys, "cartoon", *SMALL, "--data", "data", quiet=False)
    assert r"not used: a\nb.png: is not a picture in a format that is read" in err


# The cache folder.


def unwritable():
    Path("cache").mkdir(mode=0o555)
    return "cannot write the cache folder cache (Permission denied)"


def a_file():
    Path("cache").write_text("")
    return "cannot write the cache folder cache (File exists)"


@pytest.mark.parametrize("row", [unwritable, a_file], ids=lambda row: row.__name__)
def test_a_cache_folder_that_cannot_be_written_ends_a_run(row, data, capsys):
    put(data, "a.png", plain())
    said = row()
    with rights_that_count():
        err = refused(capsys, "cartoon", *SMALL, "--data", "data")
    assert said in err
    assert "choose another (--cache-dir)" in err


@contextlib.contextmanager
def files_no_larger_than(size):
    """Files that cannot become larger, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("limit", [1000, 5000])  # a picture takes 3072 bytes
def test_a_full_cache_folder_ends_a_run_and_no_part_of_the_set_remains(limit, data, capsys):
    for i in range(8):
        put(data, f"{i}.png", plain())
    with files_no_larger_than(limit):
        err = refused(capsys, "cartoon", *SMALL, "--data", "data")
    assert "cannot write the cache folder cache (File too large)" in err
    assert "free space there, or choose another (--cache-dir)" in err
    assert list(Path("cache").iterdir()) == []


def test_a_damaged_cached_set_is_built_again(data):
    put(data, "a.png", plain(GREEN))
    first = load_images("data", 8, "cache", progress=False)
    (first.path / "images.u8").write_bytes(bytes(8 * 8 * 3))
    again = load_images("data", 8, "cache", progress=False)
    assert (again.images == GREEN).all()
    assert list(Path("cache").iterdir()) == [first.path]
