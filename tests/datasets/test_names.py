"""Names from elsewhere: which are pictures, which lead out, and how they are shown."""

import ntpath
import posixpath
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.datasets.names import SUFFIXES, is_picture, points_outside, shown

ANY = st.text(st.characters(exclude_characters="\0"))  # lone surrogates too
PATHS = st.lists(st.sampled_from(["..", ".", "", "a", "C:", "b.png", "a b", "/", "\\"]), max_size=6).flatmap(
    lambda parts: st.sampled_from(["/", "\\"]).map(lambda between: between.join(parts))
)


@given(ANY | PATHS)
def test_what_does_not_point_outside_stays_inside_on_every_system(name):
    if not points_outside(name):
        for system, root in ((posixpath, "/archive"), (ntpath, "C:\\archive")):
            path = system.normpath(system.join(root, name))
            assert path == root or path.startswith(root + system.sep)


@given(
    st.lists(st.text(string.ascii_letters + " .é\n:", min_size=1).filter(lambda s: s.strip(".")), min_size=1)
)
def test_plain_names_do_not_point_outside(parts):
    name = "/".join(parts)
    assert points_outside(name) == (name[1:2] == ":" and name[0] in string.ascii_letters)


@pytest.mark.parametrize(
    "name", ["..", "../a", "a/..", "a/../b", "/", "/a", "\\a", "\\\\host\\a", "a\\..\\b", "c:a"]
)
def test_names_that_point_outside(name):
    assert points_outside(name)


@given(ANY | PATHS)
def test_a_picture_has_a_known_suffix_and_no_hidden_part(name):
    parts = name.replace("\\", "/").split("/")
    hidden = any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts)
    if is_picture(name):
        assert any(name.replace("\\", "/").rstrip("/.").lower().endswith(suffix) for suffix in SUFFIXES)
        assert not hidden


@given(st.lists(st.text(string.ascii_letters, min_size=1), min_size=1), st.sampled_from(sorted(SUFFIXES)))
def test_ordinary_names_of_pictures_are_taken(parts, suffix):
    assert is_picture("/".join(parts) + suffix)
    assert is_picture("\\".join(parts) + suffix.upper())
    assert not is_picture("/".join([".hidden", *parts]) + suffix)
    assert not is_picture("/".join(parts))


@given(ANY)
def test_any_name_is_shown_on_one_line_of_a_terminal(name):
    line = shown(name)
    assert line.isprintable()
    line.encode("utf-8")
    assert line == name or not name.isprintable()


def test_escapes_say_what_is_there():
    assert shown("a\nb\x1b[2J\udcffé") == r"a\nb\x1b[2J\udcffé"
