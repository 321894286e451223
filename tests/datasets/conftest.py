from pathlib import Path

import pytest
from file_server import Server

from ganjax.datasets.downloads import Patience, fetch


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An empty folder `data` in a working folder of the test's own; a relative path."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    return Path("data")


@pytest.fixture
def without_proxies(monkeypatch):
    """No proxy is set in the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def serve(without_proxies):
    """Starts servers: `serve(answer, ...)`."""
    servers = []

    def start(*answers):
        servers.append(Server(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Trial:
    """Calls `fetch` without waiting, and records waits and messages."""

    def __init__(self, folder):
        self.part, self.waits, self.said = folder / "x.zip.part", [], []

    def __call__(self, url, **options):
        patience = Patience(sleep=self.waits.append, stall=options.pop("stall", 5.0))
        fetch(url, self.part, patience=patience, progress=False, say=self.said.append, **options)
        return self.part.read_bytes()


@pytest.fixture
def trial(tmp_path, without_proxies):
    return Trial(tmp_path)
