"""A file is complete or absent, whatever happens while it is written."""

import errno
import os
import stat
import time
import zipfile

import pytest

from ganjax.system.errors import naming
from ganjax.system.files import atomic, remove_unfinished, write_zip


def test_the_new_file_replaces_the_old_one_after_the_block(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (path.parent, ".txt")
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_failed_write_changes_nothing(tmp_path, error, before):
    path = tmp_path / "a.txt"
    if before:
        path.write_text(before)

    def write():
        with atomic(path) as temporary:
            temporary.write_text("half of")
            raise error

    with pytest.raises(error):
        write()
    assert os.listdir(tmp_path) == (["a.txt"] if before else [])
    assert not before or path.read_text() == before


def test_a_failed_replacement_changes_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("refused")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError), atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        with atomic(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")
        assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o666 & ~umask
        assert os.umask(umask) == umask
    finally:
        os.umask(before)


def test_two_writers_at_once_both_write_whole_files(tmp_path):
    path = tmp_path / "a.txt"
    with atomic(path) as first, atomic(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the one that ended last


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic(tmp_path / "no" / "a.txt"):
        pass


# Errors name the file


@pytest.mark.parametrize("named", [None, "folder/.writing-a-xyz.txt"])
def test_an_oserror_names_the_intended_file(tmp_path, named):
    def write():
        with atomic(tmp_path / "a.txt"):
            raise OSError(errno.ENOSPC, "No space left on device", named)

    with pytest.raises(OSError, match="No space") as caught:
        write()
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert os.listdir(tmp_path) == []


def test_an_oserror_about_another_file_is_unchanged():
    def read():
        with naming("a.txt"):
            open("nowhere")  # noqa: SIM115  (it is not there)

    with pytest.raises(FileNotFoundError) as caught:
        read()
    assert caught.value.filename == "nowhere"


# What is left behind


def test_only_unfinished_files_are_removed(tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / ".writing-model-a" / "assets").mkdir(parents=True)
    for name in (
        "a.txt",
        ".lock",
        "writing-b",
        "samples/c.png",
        "samples/.writing-c-x.png",
        ".writing-a-y.txt",
    ):
        (tmp_path / name).write_text("")
    (tmp_path / ".writing-model-a" / "assets" / "d").write_text("")
    remove_unfinished(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"a.txt", ".lock", "writing-b", "samples", "samples/c.png"}


# Archives


def test_an_archive_depends_only_on_its_content(tmp_path, monkeypatch):
    members = {"a/b.txt": b"b", "empty": b""}
    write_zip(tmp_path / "one.zip", members, comment=b"sealed")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    before = os.umask(0o077)
    try:
        write_zip(tmp_path / "two.zip", members, comment=b"sealed")
    finally:
        os.umask(before)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == members
        assert archive.comment == b"sealed"
        assert archive.testzip() is None
