"""Fixtures of all tests outside of the core: runs that they share, and folders instead of the user's."""

import pytest
import small_runs


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """The session's own folder: for what many tests share."""
    return tmp_path_factory.getbasetemp()


@pytest.fixture(scope="session", autouse=True)
def _kept_compilations(base):
    with small_runs.kept_compilations(base):
        yield


@pytest.fixture(autouse=True)
def _own_folders(base, monkeypatch):
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR", "KERAS_HOME"):
        monkeypatch.setenv(name, small_runs.environment(base)[name])


@pytest.fixture(scope="session")
def dots(base):
    """Run folder of `small_runs.Dots()`."""
    return small_runs.dots_run(base)


@pytest.fixture(scope="session")
def tiles(base):
    """Run folder of `small_runs.Tiles()`."""
    return small_runs.tiles_run(base)
