"""The cache of downloads: files are kept, checked, pinned, shared between processes, and removed."""

import hashlib
import json
import os
import threading
import time

import pytest
from file_server import ranges, refused, whole

from ganjax.datasets import downloaded
from ganjax.datasets.downloaded import all_kept, forget, kept
from ganjax.datasets.downloads import Patience
from ganjax.system.errors import UserError

DATA = bytes(range(256)) * 400
SHA256 = hashlib.sha256(DATA).hexdigest()
OTHER = DATA[::-1]


@pytest.fixture
def server(serve):
    return serve(whole(DATA))


@pytest.fixture
def url(server):
    return f"{server.address}/faces.zip?key=1"


@pytest.fixture
def get(tmp_path):
    def get(url, **options):
        patience = Patience(sleep=lambda _: None)
        return downloaded.download(url, cache_dir=tmp_path, progress=False, patience=patience, **options)

    return get


def test_a_download_is_kept(server, url, get):
    said = []
    got = get(url, say=said.append)
    assert (got.url, got.size, got.sha256, got.published) == (url, len(DATA), SHA256, False)
    assert got.path.name == "faces.zip"
    assert got.path.read_bytes() == DATA
    pinned = f"no digest is published; this one is pinned: sha256 {SHA256}"
    assert said == [f"downloading {url}", pinned]
    assert {path.name for path in got.path.parent.iterdir()} == {"faces.zip", "download.json"}
    assert get(url, say=said.append) == get(url, offline=True) == got
    assert len(server.requests) == 1
    assert len(said) == 2


def test_other_addresses_have_other_folders(server, get):
    names = ("x.zip", "x.zip?1", "y/x.zip", "", "..", "%2e%2e/")
    paths = {get(f"{server.address}/{name}").path for name in names}
    assert len({path.parent for path in paths}) == 6
    assert {path.parent.parent for path in paths} == {next(iter(paths)).parent.parent}


def test_the_users_own_cache_folder(server, url, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    path = downloaded.download(url, progress=False).path
    assert path.is_relative_to(tmp_path / "mine" / "ganjax" / "downloads")


def test_a_published_digest_is_checked(server, url, get):
    said = []
    assert get(url, sha256=SHA256, size=len(DATA), say=said.append).published
    assert said == [f"downloading {url}"]


def test_a_wrong_file_is_refused_and_not_kept(server, url, get, tmp_path):
    server.answers = [whole(OTHER), whole(DATA)]
    with pytest.raises(UserError, match=f"is not the expected file.*and {SHA256} is published"):
        get(url, sha256=SHA256)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    assert get(url, sha256=SHA256).path.read_bytes() == DATA


def test_another_file_than_the_pinned_one_is_refused_until_that_is_removed(server, url, get, tmp_path):
    get(url).path.unlink()
    server.answers = [whole(OTHER)]
    with pytest.raises(
        UserError, match=f"another file than before.*{SHA256} was pinned.*ganjax data remove http"
    ):
        get(url)
    assert forget(url, tmp_path) == 0
    assert get(url).path.read_bytes() == OTHER


def test_a_digest_that_is_published_later_replaces_the_pinned_one(server, url, get):
    server.answers = [whole(OTHER), whole(DATA)]
    get(url)
    got = get(url, sha256=SHA256)
    assert (got.published, got.path.read_bytes()) == (True, DATA)


def damaged(path):
    path.write_bytes(OTHER)


def shortened(path):
    path.write_bytes(DATA[:-1])


def gone(path):
    path.unlink()


def record_gone(path):
    path.with_name("download.json").unlink()


def record_damaged(path):
    path.with_name("download.json").write_text('{"url": 3}')


@pytest.mark.parametrize("harm", [damaged, shortened, gone, record_gone, record_damaged])
def test_a_damaged_file_is_noticed_and_downloaded_again(server, url, get, harm):
    harm(get(url).path)
    with pytest.raises(UserError, match="not in the cache: download it first, without --offline"):
        get(url, offline=True)
    assert get(url).path.read_bytes() == DATA
    assert len(server.requests) == 2


def test_a_file_with_only_another_date_is_used(server, url, get):
    os.utime(get(url).path, (0, 0))
    assert get(url).sha256 == SHA256
    assert len(server.requests) == 1


def test_offline_opens_no_connection_and_makes_no_folder(server, url, get, tmp_path):
    with pytest.raises(UserError, match="not in the cache"):
        get(url, offline=True)
    assert server.requests == []
    assert not list(tmp_path.iterdir())


def test_an_address_that_is_refused_makes_no_folder(get, tmp_path):
    with pytest.raises(UserError, match="not encrypted"):
        get("http://elsewhere.test/x.zip")
    assert not list(tmp_path.iterdir())


def test_a_second_download_at_the_same_time_waits_and_uses_the_first(server, url, get):
    """Threads, as the lock is on open files: each opens the file itself."""
    waiting = threading.Event()

    def slow(handler):
        assert waiting.wait(20)
        whole(DATA)(handler)

    server.answers = [slow]
    got = []
    first = threading.Thread(target=lambda: got.append(get(url)))
    first.start()
    while not server.requests:
        time.sleep(0.005)
    said = []

    def say(line):
        said.append(line)
        waiting.set()

    got.append(get(url, say=say))
    first.join()
    assert got[0] == got[1]
    assert said == ["another process is downloading this file: waiting"]
    assert len(server.requests) == 1


def test_a_file_that_is_being_downloaded_is_not_removed(server, url, get, tmp_path):
    begun, over = threading.Event(), threading.Event()

    def slow(handler):
        begun.set()
        assert over.wait(20)
        whole(DATA)(handler)

    server.answers = [slow]
    first = threading.Thread(target=get, args=(url,))
    first.start()
    assert begun.wait(20)
    with pytest.raises(UserError, match="another process is downloading"):
        forget(url, tmp_path)
    over.set()
    first.join()
    assert forget(url, tmp_path) == len(DATA)


def test_a_cache_that_cannot_be_written_is_one_line(server, url, get, tmp_path):
    (tmp_path / "downloads").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write the cache folder .*another \(--cache-dir\)"):
        get(url)


def test_complete_and_incomplete_files_are_listed(server, url, get, tmp_path):
    assert all_kept(tmp_path) == []
    part = f"{server.address}/part.zip"
    server.answers = [ranges(DATA, upto=5000, etag='"a"'), refused(404), whole(DATA)]
    with pytest.raises(UserError):
        get(part)
    got = get(url)
    assert [each.url for each in all_kept(tmp_path)] == [url, part]
    assert (kept(url, tmp_path).download, kept(url, tmp_path).size) == (got, len(DATA))
    unfinished = kept(part, tmp_path)
    assert (unfinished.download, unfinished.part, unfinished.size) == (None, 5000, 5000)
    assert forget(part, tmp_path) == 5000
    assert forget(part, tmp_path) == 0
    assert [each.url for each in all_kept(tmp_path)] == [url]


def test_the_only_date_in_the_record_is_that_of_the_file(server, url, get):
    path = get(url).path
    said = json.loads(path.with_name("download.json").read_text())
    about = {"url": url, "size": len(DATA), "sha256": SHA256, "published": False}
    assert said == about | {"modified": path.stat().st_mtime_ns}
