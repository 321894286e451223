"""Serves the page over HTTP, to this machine only. No other module of ganjax accepts connections."""

from __future__ import annotations

import secrets
import socketserver
import sys
from http.server import BaseHTTPRequestHandler

from ganjax.serving.answers import Generator, Page, Request, Response
from ganjax.system.errors import UserError

LOOPBACK = "127.0.0.1"
LARGEST_BODY = 2**20  # bytes of a request: latents are a few thousand
TIMEOUT = 60  # seconds without data after which a connection is closed

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the address contains the token
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Server(socketserver.ThreadingTCPServer):
    """Serves a generator's page at `address`, once `serve_forever` is called.

    Raises:
        UserError: the port cannot be used.
    """

    allow_reuse_address = True
    daemon_threads = True  # the process does not wait for open connections

    def __init__(self, generator: Generator, *, port: int, seed: int, truncation: float) -> None:
        try:
            super().__init__((LOOPBACK, port), Handler)
        except OSError as error:
            raise UserError(
                f"port {port} cannot be used: {error.strerror}; choose another --port, or leave it out"
            ) from error
        port, token = self.server_address[1], secrets.token_urlsafe(24)
        self.address = f"http://{LOOPBACK}:{port}/{token}/"
        self.page = Page(generator, token=token, port=port, seed=seed, truncation=truncation)

    def handle_error(self, request, client_address) -> None:
        """Print a traceback, but not if the browser has only closed the connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Reads a request from a connection and writes its response."""

    protocol_version = (
        "HTTP/1.1"  # connections are reused: opening one for each picture takes longer than drawing
    )
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered: a response is sent in one piece
    timeout = TIMEOUT
    server: Server

    def _respond(self) -> None:
        response = self._read()
        self.send_response(response.status)
        self.send_header("Content-Type", response.kind)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _respond

    def _read(self) -> Response:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.close_connection = True
            return Response(411, b"Content-Length is required")
        if len(length) > 9 or int(length) > LARGEST_BODY:
            self.close_connection = True
            return Response(413, b"the body is too long")
        headers = {name.lower(): value for name, value in self.headers.items()}
        return self.server.page.answer(
            Request(self.command, self.path, headers, self.rfile.read(int(length)))
        )

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        return "ganjax"

    def log_message(self, format, *args) -> None:
        """Print nothing: the address is a secret."""


def serve(generator: Generator, *, port: int, seed: int, truncation: float) -> None:
    """Print the address of the page and serve it until Ctrl-C (KeyboardInterrupt).

    Args:
        generator: a generator of pictures.
        port: 0 for any free port.
        seed: of the first face.
        truncation: initial value of its slider.

    Raises:
        UserError: the port cannot be used.
    """
    with Server(generator, port=port, seed=seed, truncation=truncation) as server:
        print(f"{server.address}\nopen this in a browser on this machine; Ctrl-C stops it", flush=True)
        server.serve_forever()
