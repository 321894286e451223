"""The page of `ganjax explore --serve`, as a function from request to response, without a network.

Only requests of the page itself are answered. Its address contains a token (compared in constant time) that
only the terminal shows. The Host header must name this machine, which prevents DNS rebinding. Origin and
Sec-Fetch-Site, if a browser sends them, must say that the request comes from this page.
"""

from __future__ import annotations

import base64
import dataclasses
import hmac
import io
import json
import string
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ganjax import viewing
from ganjax.viewing import latent_directions, latents, reports

HERE = Path(__file__).parent
FILES = {
    "page.css": (
        Path(reports.__file__).parent / "templates" / "page.css",
        "text/css",
    ),  # shared with the reports of runs
    "play.css": (HERE / "play.css", "text/css"),
    "play.js": (HERE / "play.js", "text/javascript"),
}
NEARBY = 8  # faces shown as neighbours
ANGLE = 0.7  # radians from the face to its neighbours: different, but similar faces
FARTHEST = 3.0  # standard deviations along a direction
LARGEST = 1e6  # coordinate of a latent


@dataclasses.dataclass(frozen=True)
class Request:
    """An HTTP request; the names of its headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclasses.dataclass(frozen=True)
class Response:
    """An HTTP response: status, body, and the MIME type of the body."""

    status: int
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"


class Generator(latent_directions.Generator, Protocol):
    """The part of a run's generator that the page needs; `latent` has `mean` and `scale`."""

    latent: Any
    latent_shape: tuple[int, ...]


class BadRequestError(Exception):
    """A request that the page itself would never send."""


class Page:
    """The page of one generator.

    Args:
        generator: a generator of pictures.
        token: secret part of the address.
        port: where the page is served.
        seed: of the first face; each new face uses the next seed.
        truncation: initial value of its slider.

    Attributes:
        directions: number of principal directions, each with a slider.
    """

    def __init__(self, generator: Generator, *, token: str, port: int, seed: int, truncation: float) -> None:
        self._generator, self._truncated = generator, latent_directions.TruncatedGenerator(generator)
        self._token = token.encode()
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.directions = len(self._truncated.directions)
        self._start = {"seed": seed, "truncation": truncation, "directions": self.directions}
        self._drawing = threading.Lock()  # one picture at a time: two at once would slow each other down
        self._actions = {"draw": self._draw, "faces": self._faces, "keep": self._keep}
        for count in (1, NEARBY):  # compile now rather than at the first request
            self._pictures(generator.draw_latents(seed, count), truncation)

    def answer(self, request: Request) -> Response:
        """The response to any request."""
        host, headers = request.headers.get("host"), request.headers
        if (
            host not in self._hosts
            or headers.get("origin", f"http://{host}") != f"http://{host}"
            or headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        ):
            return Response(403, b"requests from other pages are refused")
        token, _, name = request.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(errors="replace"), self._token):
            return Response(404, b"not found")
        if name in self._actions:
            return self._act(name, request)
        if name != "" and name not in FILES:
            return Response(404, b"not found")
        if request.method not in ("GET", "HEAD"):
            return Response(405, b"use GET")
        if name == "":
            page = string.Template((HERE / "play.html").read_text()).substitute(self._start)
            return Response(200, page.encode(), "text/html; charset=utf-8")
        path, kind = FILES[name]
        return Response(200, path.read_bytes(), f"{kind}; charset=utf-8")

    def _act(self, name: str, request: Request) -> Response:
        if request.method != "POST":
            return Response(405, b"use POST")
        # Browsers let other sites send this type only after a preflight request, which is refused.
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return Response(415, b"the body must be application/json")
        try:
            asked = json.loads(request.body)
            if not isinstance(asked, dict):
                raise BadRequestError("the body must be a JSON object")
            return self._actions[name](asked)
        except (BadRequestError, ValueError, RecursionError) as error:
            reason = str(error) if isinstance(error, BadRequestError) else "the body is not JSON"
            return Response(400, reason.encode())

    def _draw(self, asked: dict[str, Any]) -> Response:
        """The current face, as PNG."""
        latent, psi = self._shown(asked, self._place(asked))
        return Response(200, png(self._pictures(latent, psi)[0]), "image/png")

    def _keep(self, asked: dict[str, Any]) -> Response:
        """The current face as an .npz file: the arrays that `ganjax sample` writes, and the truncation."""
        latent, psi = self._shown(asked, self._place(asked))
        file = io.BytesIO()
        arrays = {"samples": self._decode(latent, psi), "latents": latent, "truncation": np.float32(psi)}
        np.savez(file, allow_pickle=False, **arrays)
        return Response(200, file.getvalue(), "application/zip")

    def _faces(self, asked: dict[str, Any]) -> Response:
        """A random face, or faces `near` one: latents without the sliders' moves, and pictures with them."""
        seed = asked.get("seed")
        if type(seed) is not int or not 0 <= seed < 2**32:
            raise BadRequestError("seed must be a whole number in [0, 2^32)")
        if asked.get("near") is None:
            found = self._generator.draw_latents(seed, 1)
        else:
            # Without the first, which is the random face of this seed.
            others = self._generator.draw_latents(seed, NEARBY + 1)[1:]
            near, mean = self._latent(asked, "near"), self._generator.latent.mean
            found = latents.nearby(near, others, ANGLE, mean)
        pictures = self._pictures(*self._shown(asked, found))
        answer = {
            "latents": found.reshape(len(found), -1).tolist(),
            "pictures": [base64.b64encode(png(picture)).decode() for picture in pictures],
        }
        return Response(200, json.dumps(answer).encode(), "application/json")

    def _place(self, asked: dict[str, Any]) -> np.ndarray:
        """The current latent: `from`, or interpolated between `from` and `to` at position `at`."""
        start = self._latent(asked, "from")[None]
        if asked.get("to") is None:
            return start
        (at,) = _numbers([asked.get("at")], 1, 0, 1, "at")
        return latents.slerp(start, self._latent(asked, "to")[None], [at])

    def _shown(self, asked: dict[str, Any], found: np.ndarray) -> tuple[np.ndarray, float]:
        """`found`, moved along the directions by the sliders; and the truncation."""
        directions = self._truncated.directions
        moves = _numbers(asked.get("moves"), len(directions), -FARTHEST, FARTHEST, "moves")
        (psi,) = _numbers([asked.get("truncation")], 1, 0, 1, "truncation")
        return latents.moved(found, directions, self._generator.latent.scale * moves[None]), float(psi)

    def _latent(self, asked: dict[str, Any], name: str) -> np.ndarray:
        size = int(np.prod(self._generator.latent_shape))
        values = _numbers(asked.get(name), size, -LARGEST, LARGEST, name)
        return values.reshape(self._generator.latent_shape).astype(np.float32)

    def _decode(self, found: np.ndarray, psi: float) -> np.ndarray:
        with self._drawing:
            return self._truncated.decode(found, psi)

    def _pictures(self, found: np.ndarray, psi: float) -> np.ndarray:
        return viewing.to_uint8(self._decode(found, psi))


def png(pixels: np.ndarray) -> bytes:
    """A picture, uint8 `(height, width, 1 or 3)`, as PNG, with little compression, since that is faster."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _numbers(values: Any, count: int, least: float, most: float, name: str) -> np.ndarray:
    """`values`, a list of `count` numbers in [least, most], as float64 `(count,)`.

    Raises:
        BadRequestError: they are something else (NaN is in no range).
    """
    if (
        not isinstance(values, list)
        or len(values) != count
        or not all(type(value) in (int, float) and least <= value <= most for value in values)
    ):
        raise BadRequestError(f"{name} must be {count} numbers in [{least}, {most}]")
    return np.array(values, np.float64)
