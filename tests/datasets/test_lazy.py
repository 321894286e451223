"""Importing the package costs nothing; using a name imports what that name needs."""

import subprocess
import sys

import pytest

import ganjax.datasets


def test_no_heavy_library_is_imported_before_use():
    program = """
import sys
import ganjax.datasets.avatars, ganjax.datasets.folders, ganjax.datasets.toy
heavy = {"PIL", "tqdm", "resvg_py", "python_avatars", "platformdirs"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_public_name_is_found_where_it_is_defined():
    assert set(ganjax.datasets.__all__) == {*ganjax.datasets._HOMES, *ganjax.datasets._MODULES}
    assert set(ganjax.datasets.__all__) <= set(dir(ganjax.datasets))
    for name in ganjax.datasets.__all__:
        assert getattr(ganjax.datasets, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ganjax.datasets.nothing


def test_modules_are_found_without_an_import_of_their_own():
    program = """
import ganjax
assert callable(ganjax.datasets.toy.ring)
assert ganjax.datasets.avatars.LABEL_NAMES
"""
    subprocess.run([sys.executable, "-c", program], check=True)
