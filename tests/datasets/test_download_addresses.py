"""Where addresses may lead: to what is encrypted, or to this machine, and nowhere else."""

import pytest
import requests
from file_server import leads_to, send, whole

from ganjax.datasets.downloads import check_address, next_address
from ganjax.system.errors import UserError

DATA = b"an archive"


def test_redirects_in_a_loop(serve, trial):
    server = serve(leads_to("/x.zip"))
    with pytest.raises(UserError, match="more than 5 times"):
        trial(server.address)
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/x.zip", "http://192.0.2.1/x.zip"]
)
def test_a_redirect_to_what_must_not_be_opened(serve, trial, location):
    with pytest.raises(UserError, match=f"leads to {location}, which is not opened"):
        trial(serve(leads_to(location)).address)


def test_a_redirect_without_an_end_is_not_read(serve, trial):
    def endless(handler):
        send(handler, 302, location="/y.zip", content_length=None)
        while not handler.over.is_set():
            handler.wfile.write(bytes(2**16))

    assert trial(serve(endless, whole(DATA)).address) == DATA


def test_from_encrypted_to_unencrypted_never(serve, trial, monkeypatch):
    """As if https://secure.test were the server here: nothing is encrypted in this test."""
    server = serve(leads_to("/x.zip"), leads_to("http://127.0.0.1/x.zip"))
    real = requests.adapters.HTTPAdapter.send

    def send_here(self, request, **options):
        assert request.url.startswith("https://secure.test/")
        request.url = request.url.replace("https://secure.test", server.address)
        return real(self, request, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send_here)
    with pytest.raises(UserError, match="which is not encrypted"):
        trial("https://secure.test/", allow_http=True)
    assert len(server.requests) == 2


def test_where_addresses_lead():
    assert next_address("https://a/b/c", "../d", False) == "https://a/d"
    assert next_address("http://localhost/", "https://b/", False) == "https://b/"
    assert next_address("http://a/", "http://b/", True) == "http://b/"
    with pytest.raises(UserError, match="leads to http://"):
        next_address("http://localhost/", "http://[", False)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/x.zip", "no address to download from"),
        ("file:///x.zip", "no address to download from"),
        ("https:///x.zip", "no address to download from"),
        ("https://host/a b", "no address to download from"),
        ("https://host\\@other/", "no address to download from"),
        ("https://host:port/x", "no address"),
        ("https://[::1/x", "no address"),
        ("http://host/x.zip", "is not encrypted"),
        ("http://127.0.0.1.host/x.zip", "is not encrypted"),
        ("https://me:secret@host/x.zip", "put them into ~/.netrc"),
    ],
)
def test_addresses_that_are_refused(url, words):
    with pytest.raises(UserError, match=words) as refusal:
        check_address(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["https://host/x", "http://localhost:80/", "http://127.0.0.1/", "http://[::1]/"]
)
def test_addresses_that_are_taken(url):
    check_address(url)
    check_address("http://host/x.zip", allow_http=True)
