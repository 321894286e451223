"""The page without a network: who is answered, with what, and that no request makes it fail."""

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganjax import viewing
from ganjax.serving.answers import Page, Request
from ganjax.viewing import latents
from ganjax.viewing.latent_directions import TruncatedGenerator

HOST = {"host": "127.0.0.1:8123"}
JSON = {**HOST, "content-type": "application/json"}


@pytest.fixture(scope="module")
def page(generator):
    return Page(generator, token="secret", port=8123, seed=3, truncation=0.5)


@pytest.fixture(scope="module")
def faces(generator):
    return generator.draw_latents(3, 2)


def get(page, path="/secret/", **headers):
    return page.answer(Request("GET", path, HOST | headers))


def post(page, action, **asked):
    return page.answer(Request("POST", f"/secret/{action}", JSON, json.dumps(asked).encode()))


def standing(face, **changes):
    return {"from": face.tolist(), "moves": [0] * 8, "truncation": 1} | changes


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_the_page_and_its_files_are_served(page):
    answer = get(page)
    assert (answer.status, answer.kind) == (200, "text/html; charset=utf-8")
    assert b'data-seed="3" data-truncation="0.5" data-directions="8"' in answer.body
    for name, kind in (("page.css", "text/css"), ("play.css", "text/css"), ("play.js", "text/javascript")):
        assert name.encode() in answer.body
        part = get(page, f"/secret/{name}")
        assert (part.status, part.kind) == (200, f"{kind}; charset=utf-8")
        assert len(part.body) > 500


@pytest.mark.parametrize("path", ["/", "", "/other/", "/secre/", "/secretx/", "//secret/", "/\udcff/", "*"])
def test_without_the_token_nothing_is_found(page, path):
    assert get(page, path).status == 404


@pytest.mark.parametrize("path", ["/secret", "/secret/", "/secret/play.js"])
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:8123"},
        {"host": "127.0.0.1"},
        {"host": "127.0.0.1:8124"},
        {"host": "127.0.0.1:8123.evil.example"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:8123"},
        {"origin": "https://127.0.0.1:8123"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_hosts_and_origins_are_refused(page, path, headers):
    assert get(page, path, **headers).status == 403


def test_our_own_names_and_origins_are_answered(page):
    for host in ("127.0.0.1:8123", "localhost:8123"):
        for more in (
            {},
            {"origin": f"http://{host}", "sec-fetch-site": "same-origin"},
            {"sec-fetch-site": "none"},
        ):
            assert get(page, host=host, **more).status == 200


def test_a_request_without_a_host_is_refused(page):
    assert page.answer(Request("GET", "/secret/", {})).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_pages_are_read_only(page, method):
    assert page.answer(Request(method, "/secret/", JSON, b"{}")).status == 405


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
def test_actions_are_posted(page, method):
    assert page.answer(Request(method, "/secret/draw", JSON)).status == 405


def test_a_content_type_that_other_sites_may_send_is_refused(page, faces):
    body = json.dumps(standing(faces[0])).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert page.answer(Request("POST", "/secret/draw", HOST | {"content-type": kind}, body)).status == 415
    kind = {"content-type": "Application/JSON; charset=utf-8"}
    assert page.answer(Request("POST", "/secret/draw", HOST | kind, body)).status == 200


def test_draw_shows_the_generators_face(page, generator, faces):
    answer = post(page, "draw", **standing(faces[0]))
    assert (answer.status, answer.kind) == (200, "image/png")
    wanted = viewing.to_uint8(generator.decode(faces[:1]))[0].astype(int)
    assert np.abs(pixels(answer.body) - wanted).max() <= 1


def test_sliders_walks_and_truncation(page, generator, faces):
    moves = [0, 1.5, 0, 0, 0, 0, 0, -3]
    answer = post(
        page, "draw", **standing(faces[0], to=faces[1].tolist(), at=0.25, moves=moves, truncation=0.5)
    )
    truncated = TruncatedGenerator(generator)
    z = latents.slerp(faces[:1], faces[1:], [0.25])
    z = z + 1.5 * np.array(moves, np.float32)[None] @ truncated.directions  # the latents' deviation is 1.5
    wanted = viewing.to_uint8(truncated.decode(z.astype(np.float32), 0.5))[0].astype(int)
    assert np.abs(pixels(answer.body) - wanted).max() <= 1


def test_a_new_face_and_faces_near_it(page, generator, faces):
    answer = json.loads(post(page, "faces", seed=7, moves=[0] * 8, truncation=1).body)
    np.testing.assert_array_equal(np.float32(answer["latents"]), generator.draw_latents(7, 1))
    near = json.loads(
        post(page, "faces", seed=7, near=answer["latents"][0], moves=[0] * 8, truncation=1).body
    )
    assert len(near["latents"]) == len(near["pictures"]) == 8
    for latent, picture in zip(near["latents"], near["pictures"], strict=True):
        drawn = post(page, "draw", **standing(np.array(latent))).body
        assert np.abs(pixels(base64.b64decode(picture)).astype(int) - pixels(drawn)).max() <= 1
        cosine = np.corrcoef(latent, answer["latents"][0])[0, 1]
        assert 0.4 < cosine < 0.95


def test_the_saved_latents_are_those_shown(page, generator, faces):
    answer = post(page, "keep", **standing(faces[0], moves=[1] * 8))
    with np.load(io.BytesIO(answer.body), allow_pickle=False) as kept:
        np.testing.assert_allclose(generator.decode(kept["latents"]), kept["samples"], atol=1e-5)
        assert kept["truncation"] == 1
        assert np.abs(kept["latents"] - faces[0]).max() > 0.01


MALFORMED = [
    b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"from": ' * 50_000, b'{"seed": ' + b"9" * 5000 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("action", ["draw", "faces", "keep"])
@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_body_is_refused_with_a_reason(page, action, body):
    answer = page.answer(Request("POST", f"/secret/{action}", JSON, body))
    assert answer.status == 400
    assert answer.body


@pytest.mark.parametrize(
    "changes",
    [
        {"from": None},
        {"from": [0.0] * 99},
        {"from": [float("nan")] * 100},
        {"from": [10**400] * 100},
        {"from": [True] * 100},
        {"from": ["0"] * 100},
        {"to": [0.0]},
        {"to": [0.0] * 100},  # and no `at`
        {"to": [0.0] * 100, "at": 1.5},
        {"moves": [0] * 7},
        {"moves": [3.1] + [0] * 7},
        {"moves": {}},
        {"truncation": -0.1},
        {"truncation": None},
        {"truncation": [1]},
    ],
)
def test_numbers_out_of_range_are_refused(page, faces, changes):
    assert post(page, "draw", **standing(faces[0], **changes)).status == 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
latent = st.lists(st.floats(-1e6, 1e6), min_size=100, max_size=100)
moves = st.lists(st.floats(-3, 3), min_size=8, max_size=8)
asked = st.fixed_dictionaries(
    {},
    optional={
        "from": latent | json_values,
        "to": latent | json_values,
        "near": latent | json_values,
        "at": st.floats(0, 1) | json_values,
        "moves": moves | json_values,
        "truncation": st.floats(0, 1) | json_values,
        "seed": st.integers(0, 2**32) | json_values,
    },
)
requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS"]) | st.text(max_size=5),
    path=st.sampled_from(["/secret/draw", "/secret/faces", "/secret/keep", "/secret/"])
    | st.text(max_size=20),
    headers=st.just(JSON) | st.dictionaries(st.sampled_from(["host", "origin", "content-type"]), st.text()),
    body=st.binary(max_size=50)
    | asked.map(json.dumps).map(str.encode)
    | json_values.map(json.dumps).map(str.encode),
)


@given(requests)
def test_any_request_gets_a_response(page, request):
    answer = page.answer(request)
    assert answer.status in (200, 400, 403, 404, 405, 415)
    assert answer.status != 200 or request.headers.get("host") == HOST["host"]


@given(asked, st.sampled_from(["draw", "faces", "keep"]))
def test_any_action_gets_a_response(page, asked, action):
    answer = post(page, action, **asked)
    assert (answer.status, answer.kind) == (400, "text/plain; charset=utf-8") or answer.status == 200
