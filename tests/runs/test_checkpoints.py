"""Checkpoints: the whole state is restored, equal states give equal bytes, and damage is detected."""

import json
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.runs import checkpoints
from ganjax.runs.checkpoints import Checkpoint
from ganjax.system.errors import DamagedError

CHECKPOINT = Checkpoint(
    arrays={"generator/params/0": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.int32(4)},
    record={"step": 4, "run": {"name": "ß", "nothing": None}},
    witnesses={1: np.ones((2, 3), np.float32), 20: np.full((1, 2), np.nan, np.float32)},
)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints") / "sound.npz"
    checkpoints.write(path, CHECKPOINT)
    return path.read_bytes()


def same(one, other):
    def arrays(mapping):
        return {name: (x.dtype.str, x.shape, x.tobytes()) for name, x in mapping.items()}

    return (
        one.record == other.record
        and arrays(one.arrays) == arrays(other.arrays)
        and arrays(one.witnesses) == arrays(other.witnesses)
    )


def test_all_of_it_comes_back(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    found = checkpoints.read(tmp_path / "a.npz")
    assert same(found, CHECKPOINT)
    assert list(found.arrays) == list(CHECKPOINT.arrays)  # witnesses count on the order
    assert checkpoints.read_record(tmp_path / "a.npz") == CHECKPOINT.record


def test_it_makes_its_folder_and_the_same_state_gives_the_same_bytes(tmp_path, content):
    path = tmp_path / "checkpoints" / "b.npz"
    checkpoints.write(path, CHECKPOINT)
    assert path.read_bytes() == content


def test_other_programs_read_it(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["generator/params/0"], CHECKPOINT.arrays["generator/params/0"])
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize("flipped", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_is_noticed_or_changes_nothing(tmp_path, content, flipped):
    path, unnoticed = tmp_path / "damaged.npz", 0
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= flipped
        path.write_bytes(damaged)
        try:
            found = checkpoints.read(path)
        except DamagedError:
            continue
        unnoticed += 1
        assert same(found, CHECKPOINT), position
    members = 5
    assert 0 < unnoticed < 60 * members  # dates, rights and the like, which are not read


@given(st.data())
def test_whatever_is_cut_out_or_put_in_is_noticed(tmp_path, content, data):
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    inserted = data.draw(st.binary(max_size=20))
    (tmp_path / "damaged.npz").write_bytes(content[:start] + inserted + content[end:])
    try:
        found = checkpoints.read(tmp_path / "damaged.npz")
    except DamagedError:
        return
    assert same(found, CHECKPOINT)


@given(st.binary(max_size=200))
def test_any_other_file_is_none(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    for read in (checkpoints.read, checkpoints.read_record):
        with pytest.raises(DamagedError, match="other is "):
            read(tmp_path / "other")


@pytest.mark.parametrize("record", [None, "text", [1]])
def test_a_record_that_is_no_object_is_refused(tmp_path, record):
    checkpoints.write(tmp_path / "a.npz", Checkpoint({}, record))
    with pytest.raises(DamagedError, match="not a JSON object"):
        checkpoints.read(tmp_path / "a.npz")


def test_nothing_that_is_compressed_or_pickled_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "small.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("record.json", json.dumps("0" * 10_000_000))
    with pytest.raises(DamagedError, match="compressed"):
        checkpoints.read(tmp_path / "small.npz")
    with pytest.raises(ValueError, match="allow_pickle"):
        checkpoints.write(tmp_path / "b.npz", Checkpoint({"a": np.array([{}])}, {}))
    assert not os.path.exists(tmp_path / "b.npz")


def test_a_file_that_is_not_there_is_not_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        checkpoints.read(tmp_path / "a.npz")
