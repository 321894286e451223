from pathlib import Path

import pytest


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An empty folder `data` in a working folder of the test's own; its path is relative."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    return Path("data")
