"""Importing the data sets costs nothing; using a name brings what it needs."""

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


def test_every_public_name_is_found():
    for name in dir(ganjax.datasets):
        assert getattr(ganjax.datasets, name) is not None
    assert ganjax.datasets.toy.ring is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ganjax.datasets.nothing
