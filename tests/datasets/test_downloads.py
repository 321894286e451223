"""Downloading a file from servers with all kinds of behaviour."""

import os
import signal
import time
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from file_server import Server, leads_to, ranges, refused, send, stalled, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganjax.datasets import downloads
from ganjax.datasets.downloads import Part
from ganjax.system.errors import UserError

DATA = bytes(range(256)) * 1200  # several blocks
OTHER = DATA[::-1]


def asked_for(server):
    return [headers.get("Range") for _, headers in server.requests]


# Servers without faults.


def test_a_file_is_downloaded(serve, trial):
    server = serve(whole(DATA))
    assert trial(f"{server.address}/x.zip") == DATA
    assert trial.said == trial.waits == []
    assert [path for path, _ in server.requests] == ["/x.zip"]
    headers = server.requests[0][1]
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"].startswith("ganjax/")


def test_a_complete_file_is_not_requested_again(serve, trial):
    server = serve(whole(DATA))
    assert trial(server.address) == trial(server.address) == DATA
    assert len(server.requests) == 1


@pytest.mark.parametrize("size", [None, len(DATA)])
def test_a_file_of_unknown_length_is_downloaded_to_its_end(serve, trial, size):
    assert trial(serve(whole(DATA, content_length=None)).address, size=size) == DATA


def test_a_redirect_is_followed(serve, trial):
    there = serve(whole(DATA))
    assert trial(serve(leads_to(f"{there.address}/y.zip")).address) == DATA
    assert trial.said == []


# Broken and stalled connections, and starting again.


DATE = "Tue, 01 Jan 2030 00:00:00 GMT"


@pytest.mark.parametrize("version", [{"etag": '"a"'}, {"last_modified": DATE}])
def test_a_broken_download_continues_where_it_ended(serve, trial, version):
    server = serve(ranges(DATA, upto=100_000, **version), ranges(DATA, **version))
    assert trial(server.address) == DATA
    assert asked_for(server) == [None, "bytes=100000-"]
    assert server.requests[1][1]["If-Range"] == next(iter(version.values()))
    assert "broke off" in trial.said[0]
    assert len(trial.waits) == 1


def test_a_stalled_download_is_continued(serve, trial):
    server = serve(stalled(DATA, 200_000, etag='"a"'), ranges(DATA, etag='"a"'))
    assert trial(server.address, stall=0.2) == DATA
    assert trial.said[0].startswith("no data for 0.2 s")
    start = int(asked_for(server)[1].strip("bytes=-"))
    assert 100_000 < start <= 200_000  # at most a block is lost


def test_a_server_that_ignores_ranges_sends_the_file_again(serve, trial):
    server = serve(ranges(DATA, upto=100_000, etag='"a"'), whole(DATA, etag='"a"'))
    assert trial(server.address) == DATA


def test_without_a_version_the_download_starts_again(serve, trial):
    server = serve(ranges(DATA, upto=100_000), ranges(OTHER))
    assert trial(server.address) == OTHER
    assert asked_for(server) == [None, None]


def test_a_weak_tag_is_not_a_version(serve, trial):
    server = serve(ranges(DATA, upto=100_000, etag='W/"a"'), ranges(OTHER, etag='W/"a"'))
    assert trial(server.address) == OTHER
    assert asked_for(server) == [None, None]


def test_a_part_need_not_repeat_the_date_of_the_request(serve, trial):
    rest = ranges(DATA, honours_version=False)
    assert trial(serve(ranges(DATA, upto=100_000, last_modified=DATE), rest).address) == DATA


@pytest.mark.parametrize("honours_version", [True, False])
def test_two_versions_of_a_file_are_not_mixed(serve, trial, honours_version):
    changed = ranges(OTHER, honours_version=honours_version, etag='"b"')
    assert trial(serve(ranges(DATA, upto=100_000, etag='"a"'), changed).address) == OTHER


def test_another_range_than_the_requested_one_is_not_used(serve, trial):
    def elsewhere(handler):
        send(handler, 206, DATA[500:], content_range=f"bytes 500-{len(DATA) - 1}/{len(DATA)}")

    server = serve(ranges(DATA, upto=100_000, etag='"a"'), elsewhere, ranges(DATA, etag='"a"'))
    assert trial(server.address) == DATA
    assert asked_for(server) == [None, "bytes=100000-", None]


def test_a_download_is_continued_by_another_process(serve, trial):
    """Everything that the next process needs is in the two files."""
    server = serve(ranges(DATA, upto=100_000, etag='"a"'), refused(404), ranges(DATA, etag='"a"'))
    with pytest.raises(UserError, match="404"):
        trial(server.address)
    assert Part(trial.part).length == 100_000
    assert trial(server.address) == DATA
    assert asked_for(server)[2] == "bytes=100000-"


def test_a_download_is_continued_after_ctrl_c(serve, trial):
    def interrupted(handler):
        send(handler, 200, DATA[:200_000], content_length=len(DATA), etag='"a"')
        while not trial.part.exists() or trial.part.stat().st_size < 2**16:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)
        handler.over.wait(20)

    server = serve(interrupted, ranges(DATA, etag='"a"'))
    with pytest.raises(KeyboardInterrupt):
        trial(server.address, stall=20.0)
    assert trial(server.address) == DATA
    assert int(asked_for(server)[1].strip("bytes=-")) >= 2**16


def answering(serve, answers):
    """One server for all examples of a test."""
    if not hasattr(serve, "server"):
        serve.server = serve(*answers)
    serve.server.answers = answers
    return serve.server


VERSIONS = (DATA[:300], DATA[7:400], OTHER[:200])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 420), st.booleans(), st.booleans()),
        max_size=4,
    )
)
def test_the_file_is_always_one_version(serve, trial, tries):
    """The server sends other versions, breaks off anywhere, with or without tags, and may ignore If-Range."""
    answers = [
        ranges(VERSIONS[which], upto=upto, honours_version=honours, **({"etag": f'"{which}"'} if tag else {}))
        for which, upto, honours, tag in tries
    ]
    answers.append(ranges(VERSIONS[0], etag='"0"'))
    server = answering(serve, answers)
    Part(trial.part).remove()
    assert trial(server.address) in VERSIONS


# Refused requests, and waiting.


def test_a_missing_file_is_requested_once(serve, trial):
    server = serve(refused(404))
    with pytest.raises(UserError, match=r"404 \(Not Found\): check the address"):
        trial(f"{server.address}/x.zip")
    assert len(server.requests) == 1


def test_the_wait_is_as_long_as_a_busy_server_asks_for(serve, trial):
    in_a_minute = formatdate(time.time() + 60, usegmt=True)
    answers = refused(503, retry_after="7"), refused(429, retry_after=in_a_minute), whole(DATA)
    assert trial(serve(*answers).address) == DATA
    assert trial.waits[0] == 7
    assert 50 < trial.waits[1] <= 60
    assert "503 (Service Unavailable): trying again in 7.0 s (1 of 4)" in trial.said[0]


def test_a_server_that_asks_for_a_very_long_wait_is_an_error(serve, trial):
    server = serve(refused(503, retry_after="3600"))
    with pytest.raises(UserError, match="asks to wait for 3600 s"):
        trial(server.address)
    assert trial.waits == []


def test_after_five_failures_it_ends_and_keeps_what_was_received(serve, trial):
    server = serve(ranges(DATA, upto=100_000, etag='"a"'), refused(500))
    with pytest.raises(UserError, match=r"500 .* try again later; the 100000 bytes received are kept"):
        trial(server.address)
    assert len(server.requests) == 5
    assert all(a / 2 <= wait <= a for wait, a in zip(trial.waits, (1, 2, 4, 8), strict=True))


@pytest.mark.parametrize("enough", [True, False])
def test_failures_are_counted_again_from_the_start_after_enough_data(serve, trial, monkeypatch, enough):
    monkeypatch.setattr(downloads, "PROGRESS", 50_000 if enough else 2**20)
    server = serve(*(ranges(DATA, upto=50_000 * i, etag='"a"') for i in range(1, 8)))
    if enough:
        assert trial(server.address) == DATA
    else:
        with pytest.raises(UserError, match="the 250000 bytes received are kept"):
            trial(server.address)


def test_a_server_that_does_not_exist(trial):
    server = Server(whole(DATA))
    server.close()
    with pytest.raises(UserError, match="Connection refused: try again later"):
        trial(server.address)
    assert len(trial.waits) == 4


@given(st.text(max_size=30) | st.from_regex(r"\A\d{1,40}\Z"))
def test_any_retry_after_is_a_number_of_seconds(text):
    assert downloads._retry_after(text) >= 0


# Wrong sizes and contents.


def test_a_length_that_is_never_reached(serve, trial):
    server = serve(whole(DATA[:1000], content_length=2000))
    with pytest.raises(UserError, match="broke off"):
        trial(server.address)


@pytest.mark.parametrize("answer", [whole(DATA[:1000]), whole(DATA, content_length=1000)])
def test_another_length_than_expected_is_refused_at_once(serve, trial, answer):
    server = serve(answer)
    with pytest.raises(UserError, match=f"has 1000 bytes instead of {len(DATA)}"):
        trial(server.address, size=len(DATA))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("limits", "words"),
    [({"size": 1000}, "has more than 1000 bytes"), ({"max_bytes": 999}, "has more than 999 bytes")],
)
def test_a_file_that_is_too_long_is_removed(serve, trial, limits, words):
    with pytest.raises(UserError, match=words):
        trial(serve(whole(DATA, content_length=None)).address, **limits)
    assert trial.part.stat().st_size == 0


def test_a_part_that_is_too_long_for_the_file_is_refused(serve, trial):
    def too_much(handler):
        place = f"bytes 100000-{len(DATA) - 1}/{len(DATA)}"
        send(handler, 206, DATA, content_range=place, etag='"a"')

    server = serve(ranges(DATA, upto=100_000, etag='"a"'), too_much, whole(DATA))
    with pytest.raises(UserError, match=f"has more than {len(DATA)} bytes"):
        trial(server.address)
    assert trial(server.address) == DATA


def test_a_file_over_the_limit_is_refused_at_once(serve, trial):
    with pytest.raises(UserError, match="over the limit of 999"):
        trial(serve(whole(DATA)).address, max_bytes=999)


def test_a_file_that_is_too_short_is_refused(serve, trial):
    with pytest.raises(UserError, match="1000 bytes instead of 2000"):
        trial(serve(whole(DATA[:1000], content_length=None)).address, size=2000)


def test_a_web_page_is_not_an_archive(serve, trial):
    with pytest.raises(UserError, match="is a web page, not an archive"):
        trial(serve(whole(b"<html>", content_type="text/html; charset=utf-8")).address)


# The disk, and the proxy.


def test_the_room_on_the_disk_is_checked_first(serve, trial, monkeypatch):
    usage = SimpleNamespace(free=downloads.SPARE + 1000)
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=rf"needs {len(DATA)} more bytes.*has 1000: free space"):
        trial(serve(whole(DATA)).address)
    assert trial.part.stat().st_size == 0


def test_a_disk_that_becomes_full(serve, trial):
    trial.part.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        trial(serve(whole(DATA)).address)


def test_the_proxy_in_the_environment_is_used(serve, trial, monkeypatch):
    proxy = serve(whole(DATA))
    monkeypatch.setenv("HTTP_PROXY", proxy.address)
    assert trial("http://elsewhere.test/x.zip", allow_http=True) == DATA
    assert proxy.requests[0][0] == "http://elsewhere.test/x.zip"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Part(trial.part).remove()
    there = serve(whole(OTHER))
    assert trial(there.address) == OTHER
    assert len(there.requests) == 1


def test_a_proxy_that_does_not_answer_is_named(trial, monkeypatch):
    server = Server(whole(DATA))
    server.close()
    monkeypatch.setenv("HTTP_PROXY", server.address)
    with pytest.raises(UserError, match=r"the proxy failed \(Connection refused\)"):
        trial("http://elsewhere.test/x.zip", allow_http=True)
