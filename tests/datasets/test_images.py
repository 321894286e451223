"""Sets of pictures; file names: which are pictures, which point outside an archive, how they are printed."""

import ntpath
import posixpath
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.datasets.images import (
    COMPANIONS,
    ImageSet,
    extension,
    fingerprint,
    is_picture,
    picture_extensions,
    points_outside,
    shown,
)

ANY = st.text(st.characters(exclude_characters="\0"))  # lone surrogates too
PATHS = st.lists(st.sampled_from(["..", ".", "", "a", "C:", "b.png", "a b", "/", "\\"]), max_size=6).flatmap(
    lambda parts: st.sampled_from(["/", "\\"]).map(lambda between: between.join(parts))
)


def test_length_and_size():
    s = ImageSet(np.zeros((5, 8, 8, 3), np.uint8))
    assert (len(s), s.size) == (5, 8)


def test_fingerprint_depends_on_every_pixel_and_on_the_shape():
    a = np.zeros((2, 4, 4, 3), np.uint8)
    b = a.copy()
    b[1, 3, 3, 2] = 1
    prints = {fingerprint(x) for x in (a, b, a.reshape(1, 4, 8, 3), a[:, ::-1])}
    assert len(prints) == 3  # a is all zeros: flipped, it is the same
    assert fingerprint(b) == fingerprint(np.asfortranarray(b))
    assert len(fingerprint(a)) == 64


@given(ANY | PATHS)
def test_other_names_stay_inside_on_every_system(name):
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
def test_a_picture_has_a_known_extension_and_no_hidden_part(name):
    parts = name.replace("\\", "/").split("/")
    hidden = any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts)
    if is_picture(name):
        assert name.replace("\\", "/").rstrip("/.").lower().endswith(tuple(picture_extensions()))
        assert not hidden


@given(
    st.lists(st.text(string.ascii_letters, min_size=1), min_size=1),
    st.sampled_from(sorted(picture_extensions())),
)
def test_ordinary_names_of_pictures_are_recognised(parts, end):
    assert is_picture("/".join(parts) + end)
    assert is_picture("\\".join(parts) + end.upper())
    assert not is_picture("/".join([".hidden", *parts]) + end)
    assert not is_picture("/".join(parts))


def test_extensions_of_pictures_are_pillows_for_the_formats_that_are_read():
    ends = picture_extensions()
    assert ends >= {
        ".jpg",
        ".jpeg",
        ".jfif",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".jp2",
        ".avif",
    }
    assert ends >= {".ppm", ".pgm", ".qoi"}
    assert not ends & {".eps", ".ps", ".pdf", ".psd", ".svg", ".wmf", ".h5", ".fits", ".mpg", ".ico", ""}
    assert not ends & COMPANIONS


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("a.PNG", ".png"),
        ("d.x\\a.tar.gz", ".gz"),
        ("d.x/a", ""),
        ("photo.jpg_large", ""),
        ("photo.jpg~", ""),
        ("photo.jpg?w=500", ""),
        ("frame.0001", ""),
        ("Mr. Smith", ""),
        (".png", ""),
        ("a.", ""),
        ("", ""),
    ],
)
def test_what_is_an_extension(name, end):
    assert extension(name) == end


@given(ANY)
def test_any_name_is_shown_on_one_line(name):
    line = shown(name)
    assert line.isprintable()
    line.encode("utf-8")
    assert line == name or not name.isprintable()


def test_escapes_show_what_the_name_contains():
    assert shown("a\nb\x1b[2J\udcffé") == r"a\nb\x1b[2J\udcffé"
