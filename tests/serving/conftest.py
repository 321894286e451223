import pytest
from run_fixtures import _kept_compilations, _own_folders, base, tiles  # noqa: F401

from ganjax.runs.saved_models import SavedGenerator


@pytest.fixture(scope="session")
def generator(tiles):  # noqa: F811
    """Of pictures of 8 x 8 pixels, from latents of 100 numbers."""
    return SavedGenerator(tiles)
