"""The page over a real connection to this machine."""

import contextlib
import http.client
import json
import socket
import threading

import pytest
import small_runs

from ganjax.serving import server
from ganjax.system.errors import UserError


@contextlib.contextmanager
def served(generator, truncation=1.0):
    """A running server, until the block ends."""
    with server.Server(generator, port=0, seed=1, truncation=truncation) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def running(generator):
    with served(generator) as found:
        yield found


@pytest.fixture
def connection(running):
    with contextlib.closing(http.client.HTTPConnection(*running.server_address, timeout=20)) as found:
        yield found


def test_it_accepts_connections_only_from_this_machine(running):
    assert running.server_address[0] == "127.0.0.1"
    assert running.address.startswith(f"http://127.0.0.1:{running.server_address[1]}/")
    assert len(running.address.split("/")[3]) >= 32


def test_a_connection_is_reused_and_has_security_headers(running, connection, generator):
    path = running.address.removeprefix("http://").partition("/")[2]
    moves = [0] * running.page.directions
    asked = {"from": generator.draw_latents(1, 1)[0].tolist(), "moves": moves, "truncation": 1}
    for _ in range(2):
        connection.request("POST", f"/{path}draw", json.dumps(asked), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Content-Type")) == (200, "image/png")
        assert answer.read().startswith(b"\x89PNG")
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("Cache-Control") == "no-store"
        assert answer.getheader("Content-Security-Policy").startswith(
            "default-src 'none'; script-src 'self';"
        )
        assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]


def test_each_server_has_a_token_of_its_own(running, generator):
    with server.Server(generator, port=0, seed=1, truncation=1.0) as other:
        assert other.address.split("/")[3] != running.address.split("/")[3]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 403),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (b"BREW / HTTP/1.1\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_a_malformed_request_is_refused(running, sent, status, capsys):
    with socket.create_connection(running.server_address, timeout=20) as plain:
        plain.sendall(sent)
        plain.shutdown(socket.SHUT_WR)
        assert plain.makefile("rb").readline().split()[1] == str(status).encode()
    assert capsys.readouterr() == ("", "")


def test_a_port_in_use_is_an_error(running, generator, tiles, capsys):
    port = running.server_address[1]
    with pytest.raises(UserError, match=f"port {port} cannot be used: .*; choose another --port"):
        server.Server(generator, port=port, seed=1, truncation=1.0)
    assert small_runs.ended("explore", tiles.path, "--serve", "--port", port) == 2
    assert small_runs.one_line(capsys.readouterr().err)


def test_ctrl_c_ends_it_like_any_command(tiles, monkeypatch, capsys):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(server.Server, "serve_forever", interrupted)
    assert small_runs.ended("explore", tiles.path, "--serve") == 130
    said, err = capsys.readouterr()
    assert said.startswith("http://127.0.0.1:")
    assert err == "ganjax: stopped\n"
