"""`ganjax data list|get|remove`."""

import hashlib
import re
from pathlib import Path

import pytest
from file_server import Server, ranges, refused, whole
from small_runs import ended, one_line

from ganjax.datasets.catalogue import CATALOGUE, DataSet
from ganjax.datasets.folders import load_images

DATA = bytes(5000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves the data set `small` of the catalogue; the test has its own cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = Server(whole(DATA))
    small = DataSet("small", url=f"{server.address}/small.zip", labels=("hair",))
    monkeypatch.setitem(CATALOGUE, "small", small)
    yield server
    server.close()


def said(capsys, *words):
    """Standard output of a command that succeeds."""
    assert ended("data", *words) == 0
    return capsys.readouterr().out


def facts(capsys, name):
    """What `ganjax data list` prints about a data set, with lines joined."""
    blocks = said(capsys, "list").strip().split("\n\n")
    block = next(block for block in blocks if block.splitlines()[0] == name)
    lines = re.sub(r"\n {12}", " ", block).splitlines()[1:]
    return dict(line.split(maxsplit=1) for line in lines)


def test_the_list_shows_every_fact_and_what_is_unknown(server, capsys):
    listing = said(capsys, "list")
    assert max(map(len, listing.splitlines())) <= 160  # an address is not broken
    for name in CATALOGUE:
        assert f"\n{name}\n" in f"\n{listing}"
    original = facts(capsys, "cartoon_20000")
    assert original["pictures"] == "20,000"
    assert original["licence"] == "unknown"
    assert original["size"] == "131.0 MB (131046164 bytes)"
    assert original["sha256"] == "not published: pinned at first use"
    assert original["labels"] == "none"
    assert "selected these from the 63,632 faces" in original["note"]
    google = facts(capsys, "cartoonset10k")
    assert google["licence"] == "CC BY 4.0 (Google LLC)"
    assert google["size"] == "450MB, according to its source"
    assert "hair, eye_color" in google["labels"]
    avatars = facts(capsys, "avatars")
    assert avatars["pictures"] == "any number"
    assert not {"address", "size", "sha256"} & set(avatars)
    assert {facts(capsys, name)["cached"] for name in CATALOGUE} == {"nothing"}
    small = facts(capsys, "small")
    assert (small["pictures"], small["size"], small["labels"]) == ("unknown", "unknown", "hair")
    assert server.requests == []


def test_get_list_and_remove(server, capsys, tmp_path):
    line = said(capsys, "get", "small")
    assert line.endswith(f"small.zip  5.0 kB, sha256 {SHA256} (pinned at first use)\n")
    assert said(capsys, "get", "small", "--offline") == line
    assert facts(capsys, "small")["cached"] == f"archive 5.0 kB, sha256 {SHA256} (pinned at first use)"
    assert said(capsys, "remove", "small") == "removed 5.0 kB\n"
    assert said(capsys, "remove", "small") == "small is not in the cache\n"
    assert facts(capsys, "small")["cached"] == "nothing"
    assert len(server.requests) == 1


def test_an_address_is_listed_while_it_is_in_the_cache(server, capsys):
    url = f"{server.address}/other.zip"
    server.answers = [ranges(DATA, upto=1500, etag='"a"'), refused(404)]
    assert ended("data get", url) == 2
    assert one_line(capsys.readouterr().err.split("\n", 2)[2])
    assert facts(capsys, url)["cached"] == "1.5 kB of an interrupted download"
    assert said(capsys, "remove", url) == "removed 1.5 kB\n"
    assert url not in said(capsys, "list")


def test_prepared_pictures_are_counted_and_removed_too(server, capsys, tmp_path):
    path = Path(said(capsys, "get", "small").split()[0])
    prepare(tmp_path, path.parent)
    cached = facts(capsys, "small")["cached"]
    assert re.search(r"; prepared at 4 px (\d+ bytes|\d\.\d kB)$", cached)
    said(capsys, "remove", "small")
    assert not path.parent.exists()


def prepare(tmp_path, cache_dir):
    from PIL import Image

    (tmp_path / "mine").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "mine" / "a.png")
    return load_images(tmp_path / "mine", 4, cache_dir=cache_dir, progress=False)


def test_rendered_faces_are_listed_and_removed(server, capsys, tmp_path):
    from ganjax.datasets import load_avatars

    theirs, mine = load_avatars(2, 4, progress=False), prepare(tmp_path, None)
    assert said(capsys, "get", "avatars").startswith("avatars: rendered at first use")
    assert facts(capsys, "avatars")["cached"].startswith("prepared at 4 px ")
    assert said(capsys, "remove", "avatars").startswith("removed ")
    assert not theirs.path.exists()
    assert mine.path.exists()


def test_another_cache(server, capsys, tmp_path):
    elsewhere = str(tmp_path / "elsewhere")
    assert said(capsys, "get", "small", "--cache-dir", elsewhere).startswith(elsewhere)
    assert ended("data get small --offline") == 2
    assert "not in the cache" in capsys.readouterr().err
    assert f"sha256 {SHA256}" in said(capsys, "list", "--cache-dir", elsewhere)
    assert said(capsys, "remove", "small", "--cache-dir", elsewhere) == "removed 5.0 kB\n"


def test_unencrypted_addresses_must_be_accepted(server, capsys, monkeypatch):
    url = "http://elsewhere.test/small.zip"
    assert ended("data get", url) == 2
    assert f"accept the risk with `ganjax data get {url} --allow-http`" in capsys.readouterr().err
    monkeypatch.setenv("HTTP_PROXY", server.address)
    assert f"sha256 {SHA256}" in said(capsys, "get", url, "--allow-http")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("data gte small", "there is no action 'gte': did you mean get?"),
        ("data get cartonset10k", "did you mean cartoonset10k?"),
        ("data get ./small", "is a local path: only data sets with"),
        ("data remove ./small", "is a local path"),
        ("data get", "data"),
        ("data list --size 3", "--size"),
    ],
)
def test_mistakes_are_reported_in_one_line(server, capsys, line, words):
    assert ended(line) == 2
    err = capsys.readouterr().err
    assert words in err
    assert one_line(err)


@pytest.mark.parametrize("action", ["list", "get", "remove"])
def test_every_action_has_help(capsys, action):
    assert f"ganjax data {action}" in said(capsys, action, "--help")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (477_000_000, "477.0 MB"),
        (4_766_442_036, "4.8 GB"),
    ],
)
def test_sizes_have_decimal_units(size, text):
    from ganjax.cli.data import _bytes

    assert _bytes(size) == text
