"""Folders are listed with their subfolders and linked folders, and no folder is read twice."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import GREEN, RED, plain, put
from rights import rights_that_count

from ganjax.datasets import load_images
from ganjax.datasets.images import is_picture
from ganjax.datasets.listing import list_folder, read_folder
from ganjax.system.errors import UserError


def everything(name):
    return True


def listed(folder):
    """Names of the files, and what is refused: name -> reason."""
    found = list_folder(Path(folder), everything)
    return found.names, {entry.name: entry.refused for entry in found.refused}


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


PARTS = st.binary(min_size=1, max_size=8).filter(lambda name: not {0, ord("/")} & set(name))
NAMES = st.lists(PARTS.filter(lambda name: name not in (b".", b"..")), min_size=1, max_size=3)
ENDS = st.sampled_from([b".png", b".JPG", b".txt", b""])


@given(st.lists(st.tuples(NAMES, ENDS), max_size=6))
def test_all_files_are_listed_whatever_their_names(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("listed")
    written = set()
    for parts, end in names:
        name = os.fsdecode(b"/".join(parts) + end)
        try:
            put(folder, name, b"")
        except OSError:  # there is a file where this name needs a folder
            continue
        written.add(name)
    found = list_folder(folder, is_picture)
    assert found.names == sorted(filter(is_picture, written))
    assert found.refused == []
    assert [entry.name for entry in read_folder(found, lambda name, size: "")] == found.names


def test_links_to_folders_and_files_are_followed(data, tmp_path):
    put(data, "red/a.png", plain())
    put(tmp_path, "elsewhere/b.png", plain(GREEN))
    put(tmp_path, "elsewhere/deep/c.png", plain(GREEN))
    put(tmp_path, "one.png", plain(GREEN))
    link(data / "green", tmp_path / "elsewhere")
    link(data / "d.png", tmp_path / "one.png")
    assert listed(data) == (["d.png", "green/b.png", "green/deep/c.png", "red/a.png"], {})
    found = load_images(data, 8, "cache", progress=False)
    assert found.images[:, 0, 0].tolist() == [list(GREEN)] * 3 + [list(RED)]
    assert found.skipped == ()


def test_a_class_folder_that_is_a_link_is_read_with_its_labels(data, tmp_path):
    for i, name in enumerate(("data/red/a", "elsewhere/b")):
        put(tmp_path, f"{name}.png", plain())
        put(tmp_path, f"{name}.csv", f"hair,{i},2".encode())
    link(data / "green", tmp_path / "elsewhere")
    found = load_images(data, 8, "cache", progress=False)
    assert found.labels["hair"].tolist() == [1, 0]


@pytest.mark.parametrize("target", [".", "..", "../..", "/"])
def test_a_link_to_a_folder_that_contains_it_is_not_followed(data, target):
    put(data, "inner/a.png", b"")
    link(data / "inner" / "again", target)
    assert listed(data) == (["inner/a.png"], {"inner/again": "is a link to a folder that contains it"})


def test_folders_that_link_to_each_other_are_read_once(data, tmp_path):
    put(data, "a.png", b"")
    put(tmp_path, "other/b.png", b"")
    link(data / "other", tmp_path / "other")
    link(tmp_path / "other" / "data", data.absolute())
    assert listed(data) == (
        ["a.png", "other/b.png"],
        {"other/data": "is a link to a folder that contains it"},
    )


def test_a_linked_folder_does_not_lead_to_all_that_is_around_the_folder(data, tmp_path):
    put(tmp_path, "other/a.png", b"")
    link(data / "elsewhere", tmp_path / "other")
    link(tmp_path / "other" / "up", "../..")
    put(tmp_path, "other/deep/b.png", b"")
    inner = data / "inner"
    link(inner / "deep", tmp_path / "other" / "deep")
    link(tmp_path / "other" / "deep" / "around", data.absolute())
    reason = "is a link to a folder that contains it"
    assert listed(inner) == (["deep/b.png"], {"deep/around": reason})
    names, refused = listed(data)
    assert names == ["elsewhere/a.png", "elsewhere/deep/b.png"]
    assert refused["elsewhere/up"] == reason


def test_a_folder_with_two_links_to_it_is_read_once(data, tmp_path):
    put(tmp_path, "other/a.png", b"")
    put(tmp_path, "other/inner/b.png", b"")
    for name in ("first", "second"):
        link(data / name, tmp_path / "other")
    link(data / "third", tmp_path / "other" / "inner")
    names, refused = listed(data)
    assert names == ["first/a.png", "first/inner/b.png"]
    reason = "is the same folder as first"
    assert refused == {"second": reason, "third": f"{reason}/inner"}


def test_a_folder_is_read_under_its_own_name_rather_than_that_of_a_link(data):
    put(data, "z/a.png", b"")
    link(data / "a-link", "z")
    assert listed(data) == (["z/a.png"], {"a-link": "is the same folder as z"})


def test_links_to_hidden_folders_are_followed_and_hidden_links_are_not(data, tmp_path):
    put(data, ".versions/3/a.png", b"")
    put(tmp_path, "other/b.png", b"")
    link(data / "current", ".versions/3")
    link(data / ".hidden", tmp_path / "other")
    assert listed(data) == (["current/a.png"], {})


def test_broken_links_are_named(data):
    put(data, "a.png", plain())
    link(data / "class", "gone")
    link(data / "loop", "loop")
    found = load_images(data, 8, "cache", progress=False)
    assert len(found) == 1
    first, second = found.skipped
    assert first == "class: cannot be opened (No such file or directory)"
    assert second.startswith("loop: cannot be opened (Too many levels of symbolic links)")


def test_a_linked_folder_that_cannot_be_searched_is_named(data, tmp_path):
    put(data, "a.png", b"")
    put(tmp_path, "other/b.png", b"")
    link(data / "class", tmp_path / "other")
    os.chmod(tmp_path / "other", 0)
    with rights_that_count():
        assert listed(data) == (["a.png"], {"class": "cannot be searched (Permission denied)"})
        with pytest.raises(
            UserError, match=r"cannot read the folder .*other \(Permission denied\): check its permissions"
        ):
            list_folder(tmp_path / "other", everything)
    os.chmod(tmp_path / "other", 0o700)


def test_a_download_cache_of_digests_and_links_to_them_is_read_once(data):
    put(data, "blobs/0a1b", plain())
    put(data, "blobs/2c3d", plain(GREEN))
    put(data, "refs/main", b"0a1b")
    link(data / "snapshots" / "1" / "face.png", "../../blobs/0a1b")
    link(data / "snapshots" / "2" / "face.png", "../../blobs/0a1b")
    names, refused = listed(data)
    assert names == ["blobs/2c3d", "refs/main", "snapshots/1/face.png", "snapshots/2/face.png"]
    assert refused == {"blobs/0a1b": "is the same file as snapshots/1/face.png"}
    assert len(load_images(data, 8, "cache", progress=False)) == 3


def test_a_link_with_a_new_target_rebuilds_the_set(data, tmp_path):
    for name, color in (("v1", RED), ("v2", GREEN)):
        put(tmp_path, f"{name}/a.bmp", plain(color, kind="BMP"))
        os.utime(tmp_path / name / "a.bmp", (0, 0))
    link(data / "class", tmp_path / "v1")
    assert (load_images(data, 8, "cache", progress=False).images == RED).all()
    (data / "class").unlink()
    link(data / "class", tmp_path / "v2")
    assert (load_images(data, 8, "cache", progress=False).images == GREEN).all()


def test_what_is_not_a_regular_file_is_refused_and_never_opened(data):
    os.mkfifo(data / "fifo")  # opening it would wait for a writer
    link(data / "zero.png", "/dev/zero")
    found = list_folder(data, everything)
    entries = {entry.name: entry.refused for entry in read_folder(found, lambda name, size: "")}
    assert entries == dict.fromkeys(["fifo", "zero.png"], "is not a regular file")
