"""The pictures of a name, an address or a path."""

from pathlib import Path

import pytest
from file_server import whole
from pictures import make_tar, make_zip, plain, put

from ganjax.datasets import avatars, load
from ganjax.datasets import sources as module
from ganjax.datasets.catalogue import CATALOGUE, DataSet
from ganjax.datasets.sources import find
from ganjax.system.errors import UserError


@pytest.fixture
def server(data, monkeypatch, serve):
    """Serves a small Cartoon Set, which has the name `small` in the catalogue."""
    make_tar(data / "small.tgz", [("s/a.png", plain()), ("s/a.csv", b"hair,3,111"), ("s/b.txt", b"")], "gz")
    archive = (data / "small.tgz").read_bytes()
    server = serve(whole(archive))
    small = DataSet("small", url=f"{server.address}/small.tgz", size=len(archive))
    monkeypatch.setitem(CATALOGUE, "small", small)
    return server


def get(word, **options):
    return load(word, 4, cache_dir="cache", **({"progress": False} | options))


def test_the_default_is_rendered_faces(data):
    found, same = get(None, images=3), get("avatars", images=3)
    assert found.fingerprint == same.fingerprint
    assert (len(found), found.name, found.origin) == (3, "avatars", {})
    assert list(found.labels) == list(avatars.ATTRIBUTES)


def test_a_folder_or_archive_on_this_computer(data):
    put(data, "a.png", plain())
    make_zip(Path("x.zip"), [("a.png", plain())])
    assert get("data").origin == get("./x.zip").origin == get("x.zip").origin == {}


def test_a_name_is_downloaded_once_with_its_labels(server, capsys):
    found = get("small", progress=True)
    said = capsys.readouterr().err
    assert f"downloading {server.address}/small.tgz" in said
    assert "this one is pinned: sha256 " in said
    assert found.name == "small"
    assert found.labels["hair"].tolist() == [3]
    assert found.origin["url"] == f"{server.address}/small.tgz"
    assert found.origin["sha256"] in said
    again = get("small", offline=True)
    assert (again.fingerprint, again.origin, len(server.requests)) == (found.fingerprint, found.origin, 1)


def test_an_address_is_downloaded(server):
    found = get(f"{server.address}/faces.tgz")
    assert (found.name, found.origin["url"]) == ("faces", f"{server.address}/faces.tgz")


def test_offline_nothing_is_requested(server):
    with pytest.raises(UserError, match="without --offline"):
        get("small", offline=True)
    assert server.requests == []


def test_the_size_in_the_catalogue_is_checked(server, monkeypatch):
    monkeypatch.setitem(CATALOGUE, "small", DataSet("small", url=f"{server.address}/small.tgz", size=3))
    with pytest.raises(UserError, match="bytes instead of 3"):
        get("small")


def test_a_name_is_preferred_to_a_folder_of_that_name_with_a_message(server, data, capsys):
    put(Path("small"), "a.png", plain())
    put(Path("small"), "b.png", plain())
    assert len(get("small", progress=True)) == 1
    assert "for the file or folder of that name, write ./small" in capsys.readouterr().err
    assert len(get("./small")) == 2


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("avatars", CATALOGUE["avatars"]),
        (None, CATALOGUE["avatars"]),
        ("./avatars", Path("avatars")),
        ("~/faces", Path("~/faces")),
        ("x/y", Path("x/y")),
        ("C:\\faces", Path("C:\\faces")),
        ("https://host/x.zip", DataSet("https://host/x.zip", url="https://host/x.zip")),
        ("s3://bucket/x.zip", DataSet("s3://bucket/x.zip", url="s3://bucket/x.zip")),
    ],
)
def test_words_that_are_found(data, word, expected):
    assert find(word) == expected


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("cartonset10k", r"did you mean cartoonset10k\?"),
        ("CartoonSet100k", r"did you mean cartoonset100k\?"),
        ("avatar", r"did you mean avatars\?"),
        ("nowhere", "no such folder or archive: nowhere, and no set of that name; give"),
        ("", "no such folder or archive: , and no"),
        ("a\nb", r"no such folder or archive: a\\nb"),
    ],
)
def test_words_that_are_not_found(data, word, words):
    with pytest.raises(UserError, match=words):
        find(word)


@pytest.mark.parametrize("url", ["s3://bucket/x.zip", "ftp://host/x.zip", "file:///x.zip"])
def test_addresses_that_cannot_be_downloaded(data, url):
    with pytest.raises(UserError, match="not an address to download from"):
        get(url)


def test_messages_go_to_standard_error(capsys):
    module.tell("a line")
    assert capsys.readouterr() == ("", "a line\n")
