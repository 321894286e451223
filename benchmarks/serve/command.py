"""Faces per second on the page of `ganjax explore --serve`: `python -m benchmarks serve RUN [--seconds 5]`.

Faces are requested one after another, as when a slider is moved. A client that does nothing else measures the
time of request, generator, PNG file and response. If Chromium and Playwright are installed, the page itself
is measured too, until each picture is shown.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib.util
import json
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax

from benchmarks import machine
from ganjax.runs.run_folder import RunFolder
from ganjax.runs.saved_models import SavedGenerator
from ganjax.serving.server import Server
from ganjax.system.compilation_cache import keep_compilations
from ganjax.system.errors import UserError

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

# Moves a slider, waits until the new face is shown, and moves it again.
MOVE = """async (seconds) => {
    const input = document.querySelector("#directions input");
    const end = performance.now() + 1000 * seconds;
    let faces = 0;
    while (performance.now() < end) {
        input.value = (faces % 61) / 10 - 3;
        input.dispatchEvent(new Event("input"));
        await drawing;
        faces++;
    }
    return faces / seconds;
}"""


def main(words: Sequence[str]) -> int:
    """Measure, and print faces per second."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks serve", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run that makes pictures")
    parser.add_argument(
        "--seconds", type=float, default=5, help="length of each measurement in seconds (default 5)"
    )
    asked = parser.parse_args(words)
    if not 0 < asked.seconds <= 600:
        raise UserError("--seconds must be more than 0 and at most 600")
    keep_compilations()
    generator = SavedGenerator(RunFolder.open(asked.run))
    if len(generator.sample_shape) != 3:
        raise UserError(f"{asked.run} generates points, not pictures")
    height, width = generator.sample_shape[:2]
    print(
        f"{machine.sentence(machine.describe())}; JAX {jax.__version__}; faces of {width} x {height} pixels"
    )
    with _serving(generator) as server:
        print(f"server alone: {_by_client(server, generator, asked.seconds):.0f} faces per second")
        program = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
        if program is None or importlib.util.find_spec("playwright") is None:
            print("through Chromium: not measured, since Chromium or the package playwright is not installed")
        else:
            print(f"through Chromium: {_by_browser(server, program, asked.seconds):.0f} faces per second")
    return 0


@contextlib.contextmanager
def _serving(generator: SavedGenerator) -> Iterator[Server]:
    with Server(generator, port=0, seed=1, truncation=1.0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def _by_client(server: Server, generator: SavedGenerator, seconds: float) -> float:
    path = server.address.split("/", 3)[3]
    latent = generator.draw_latents(1, 1).ravel().tolist()
    count, faces, end = server.page.directions, 0, time.perf_counter() + seconds
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.server_address[1])) as connection:
        while time.perf_counter() < end:
            moves = [(faces % 61) / 10 - 3, *[0] * (count - 1)]
            body = json.dumps({"from": latent, "moves": moves, "truncation": 1})
            connection.request("POST", f"/{path}draw", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(answer.read())
            answer.read()
            faces += 1
    return faces / seconds


def _by_browser(server: Server, program: str, seconds: float) -> float:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        page = browser.new_page()
        page.goto(server.address)
        page.wait_for_function("() => document.getElementById('face').naturalWidth > 0")
        rate: float = page.evaluate(MOVE, seconds)
        browser.close()
    return rate
