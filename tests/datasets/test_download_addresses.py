"""Which addresses may be opened: encrypted ones, and those of this computer."""

import pytest
import requests
from file_server import leads_to, send, whole

from ganjax.datasets.downloads import check_address, next_address
from ganjax.system.errors import UserError

DATA = b"an archive"


def test_a_loop_of_redirects_is_refused(serve, trial):
    server = serve(leads_to("/x.zip"))
    with pytest.raises(UserError, match="more than 5 times"):
        trial(server.address)
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/x.zip", "http://192.0.2.1/x.zip"]
)
def test_a_redirect_to_an_address_that_may_not_be_opened_is_refused(serve, trial, location):
    with pytest.raises(UserError, match=f"redirects to {location}, which is refused"):
        trial(serve(leads_to(location)).address)


def test_the_endless_body_of_a_redirect_is_not_read(serve, trial):
    def endless(handler):
        send(handler, 302, location="/y.zip", content_length=None)
        while not handler.over.is_set():
            handler.wfile.write(bytes(2**16))

    assert trial(serve(endless, whole(DATA)).address) == DATA


def test_a_redirect_from_https_to_http_is_refused(serve, trial, monkeypatch):
    """Requests for https://secure.test go to the server of this test, without encryption."""
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


def test_next_address():
    assert next_address("https://a/b/c", "../d", False) == "https://a/d"
    assert next_address("http://localhost/", "https://b/", False) == "https://b/"
    assert next_address("http://a/", "http://b/", True) == "http://b/"
    with pytest.raises(UserError, match="redirects to http://"):
        next_address("http://localhost/", "http://[", False)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/x.zip", "not an address to download from"),
        ("file:///x.zip", "not an address to download from"),
        ("https:///x.zip", "not an address to download from"),
        ("https://host/a b", "not an address to download from"),
        ("https://host\\@other/", "not an address to download from"),
        ("https://host:port/x", "not an address"),
        ("https://[::1/x", "not an address"),
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
def test_addresses_that_are_accepted(url):
    check_address(url)
    check_address("http://host/x.zip", allow_http=True)
