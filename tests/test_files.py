"""A file is whole or not there, whatever happens while it is written."""

import os
import stat

import pytest

from ganjax.files import atomic


def test_the_new_file_takes_its_place_when_the_block_ends(tmp_path):
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
def test_a_write_that_fails_leaves_all_as_it_was(tmp_path, error, before):
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


def test_a_refused_replacement_leaves_all_as_it_was(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("refused")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError), atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_who_may_read_it_is_what_the_user_set(tmp_path, umask):
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
