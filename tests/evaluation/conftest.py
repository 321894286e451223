import faces
import pytest
from run_fixtures import _kept_compilations, _own_folders, base  # noqa: F401


@pytest.fixture(scope="session")
def classifier(base):  # noqa: F811
    """A tiny classifier of 32-pixel faces: much better than chance, but not good."""
    return faces.classifier(base)


@pytest.fixture
def run(base, tmp_path):  # noqa: F811
    """A run on faces in a folder for this test alone, and its experiment."""
    return faces.run(tmp_path / "run")
