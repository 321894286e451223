"""Cached sets are complete or absent, checked when they are opened, and shared between processes."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.datasets.cache import Contents, cache_folder, cached
from ganjax.system.errors import UserError

PICTURES = np.arange(3 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 4, 4, 3)


class Builder:
    """Writes PICTURES in two blocks and counts how often it had to."""

    def __init__(self):
        self.calls = 0

    def __call__(self, write):
        self.calls += 1
        write(PICTURES[:2])
        write(PICTURES[2:])
        labels = {"hair": np.array([1, 0, 1]), "eyes": np.array([0, 0, 2])}
        names = {"hair": ("none", "bob"), "eyes": ("a", "b", "c")}
        return Contents(labels, names, skipped=("x.png: broken",))


def check(found):
    np.testing.assert_array_equal(found.images, PICTURES)
    assert found.images.dtype == np.uint8
    assert not found.images.flags.writeable
    assert found.labels["hair"].dtype == np.int32
    np.testing.assert_array_equal(found.labels["eyes"], [0, 0, 2])
    assert found.label_names == {"hair": ("none", "bob"), "eyes": ("a", "b", "c")}
    assert found.skipped == ("x.png: broken",)
    assert found.name == "faces"


def test_builds_once_then_opens(tmp_path):
    build = Builder()
    first = cached("faces", {"a": 1}, 4, build, tmp_path)
    check(first)
    again = cached("faces", {"a": 1}, 4, build, tmp_path)
    check(again)
    assert build.calls == 1
    assert again.fingerprint == first.fingerprint
    assert [p.name for p in tmp_path.iterdir()] == [first.path.name]  # nothing unfinished is left
    cached("faces", {"a": 2}, 4, build, tmp_path)
    assert build.calls == 2


def flip_a_bit(home):
    raw = bytearray((home / "images.u8").read_bytes())
    raw[7] ^= 1
    (home / "images.u8").write_bytes(raw)


def shorten(home):
    raw = (home / "images.u8").read_bytes()
    (home / "images.u8").write_bytes(raw[:-1])


def spoil_labels(home):
    np.save(home / "labels.npy", np.zeros((2, 3), np.int32))


def rename(home):
    about = json.loads((home / "set.json").read_text())
    (home / "set.json").write_text(json.dumps(about | {"name": "other faces"}))


def become_a_file(home):
    shutil.rmtree(home)
    home.write_text("")


def become_a_loop(home):
    shutil.rmtree(home)
    home.symlink_to(home)


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        shorten,
        spoil_labels,
        rename,
        become_a_file,
        become_a_loop,
        lambda home: (home / "set.json").write_text("{"),
        lambda home: (home / "set.json").write_text("[]"),
        lambda home: (home / "set.json").write_text("[" * 100_000),
        lambda home: (home / "images.u8").unlink(),
        lambda home: (home / "labels.npy").write_bytes(b""),
    ],
)
def test_a_damaged_set_is_rebuilt(tmp_path, damage):
    build = Builder()
    home = cached("faces", {}, 4, build, tmp_path).path
    damage(home)
    check(cached("faces", {}, 4, build, tmp_path))
    assert build.calls == 2
    check(cached("faces", {}, 4, build, tmp_path))
    assert build.calls == 2
    assert list(tmp_path.iterdir()) == [home]


FILES = st.sampled_from(["set.json", "images.u8", "labels.npy"])


@given(FILES, st.integers(0, 2000), st.integers(1, 255))
def test_one_byte_flipped_anywhere_is_noticed(tmp_path, name, place, flipped):
    path = cached("faces", {}, 4, Builder(), tmp_path).path / name
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= flipped
    path.write_bytes(content)
    build = Builder()
    check(cached("faces", {}, 4, build, tmp_path))
    # The same JSON may be written in several ways: with a tab for a space, for example.
    assert build.calls == 1 or name == "set.json"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(JSON | st.sampled_from(["key", "shape", "fingerprint", "label_names", "skipped", "sha256"]), JSON)
def test_any_change_of_set_json_is_noticed(tmp_path, key, value):
    path = cached("faces", {}, 4, Builder(), tmp_path).path / "set.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {key: value} if isinstance(key, str) else key))
    check(cached("faces", {}, 4, Builder(), tmp_path))


def test_a_failed_build_leaves_nothing(tmp_path):
    def build(write):
        write(PICTURES)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("faces", {}, 4, build, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unfinished_sets_of_killed_processes_are_removed_after_a_day(tmp_path):
    old, new = tmp_path / ".making-old", tmp_path / ".making-new"
    for draft in (old, new):
        draft.mkdir()
        (draft / "images.u8").write_bytes(b"half")
    os.utime(old, (0, 0))
    cached("set", {}, 4, Builder(), tmp_path)
    assert not old.exists()
    assert new.exists()


def test_a_process_that_finishes_second_uses_the_set_of_the_first(tmp_path):
    inner = Builder()

    def build(write):
        contents = Builder()(write)
        cached("faces", {}, 4, inner, tmp_path)  # another process finishes earlier
        return contents

    check(cached("faces", {}, 4, build, tmp_path))
    assert inner.calls == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_two_processes_at_the_same_time_both_get_the_set(tmp_path):
    program = f"""
import sys, time
import numpy as np
from ganjax.datasets.cache import Contents, cached
def build(write):
    print("building", flush=True)
    sys.stdin.readline()
    write(np.full((2, 4, 4, 3), 9, np.uint8))
    return Contents()
found = cached("faces", {{}}, 4, build, {str(tmp_path)!r})
assert found.images.shape == (2, 4, 4, 3) and (found.images == 9).all()
print(found.fingerprint)
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", program], **pipes) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "building\n"
    outputs = [process.communicate("go\n", timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert len(set(outputs)) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_cache_folder_that_cannot_be_made_is_an_error_that_names_the_flag(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "cache", "~no-such-user/cache"):
        with pytest.raises(UserError, match="--cache-dir"):
            cached("faces", {}, 4, Builder(), folder)


def test_wrong_blocks_are_refused(tmp_path):
    def build(write):
        write(np.zeros((1, 5, 5, 3), np.uint8))
        return Contents()

    with pytest.raises(ValueError, match="expected uint8"):
        cached("faces", {}, 4, build, tmp_path)


def test_the_users_own_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert cache_folder() == tmp_path / "ganjax"
    assert cache_folder("~/x").is_absolute()
    assert not (tmp_path / "ganjax").exists()
