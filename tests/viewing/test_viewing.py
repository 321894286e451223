"""The public names of the package, and that importing it loads no drawing library."""

import subprocess
import sys

import pytest

import ganjax.viewing as viewing


@pytest.mark.parametrize("name", viewing.__all__)
def test_every_public_name_is_a_documented_function(name):
    assert getattr(viewing, name).__name__ == name
    assert getattr(viewing, name).__doc__
    assert name in dir(viewing)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="plot_everything"):
        _ = viewing.plot_everything


def test_importing_loads_no_drawing_library():
    code = (
        "import sys, ganjax.viewing.curves, ganjax.viewing.distributions, ganjax.viewing.film, "
        "ganjax.viewing.grids; sys.exit(bool({'matplotlib', 'PIL'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
