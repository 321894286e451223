"""Labels in .csv files beside pictures, as Google's Cartoon Set has them."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pictures import BLUE, GREEN, RED, make_tar, make_zip, plain, put

from ganjax.datasets import load_images
from ganjax.datasets.labels import MAX_BYTES, Tables, is_table, parse_table

# As in google.github.io/cartoonset/download.html.
PUBLISHED = b'"face_shape", 4, 7\n"facial_hair", 14, 15\n"hair", 29, 111\n"eye_color", 2, 5\n'


def test_the_published_example_is_read():
    assert parse_table(PUBLISHED) == {
        "face_shape": (4, 7),
        "facial_hair": (14, 15),
        "hair": (29, 111),
        "eye_color": (2, 5),
    }


@pytest.mark.parametrize("data", [b"hair,29,111", b"\xef\xbb\xbfhair, 29 ,111\r\n\r\n", b'\n"hair",29,111\n'])
def test_other_spellings_are_read(data):
    assert parse_table(data) == {"hair": (29, 111)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"file,hair\na.png,3",
        b"hair,29",
        b"hair,29,111,0",
        b"hair,111,111",
        b"hair,-1,111",
        b"hair,1.0,111",
        b"hair,\xc2\xb2,111",
        b"hair,0,10001",
        b"hair," + b"9" * 30 + b",111",
        b",1,2",
        b"a\x1bb,1,2",
        b"hair,1,2\nhair,1,2",
        b"\xff\xfe,1,2",
        b'"hair,1,2',
        b"h" * 101 + b",1,2",
        b"hair,1,2\n" + b"\n" * MAX_BYTES,
    ],
)
def test_what_is_not_a_table_of_labels(data):
    assert parse_table(data) is None


NAMES = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.binary(max_size=200) | st.lists(st.tuples(NAMES, NAMES, NAMES)).map(lambda r: repr(r).encode()))
@example(b"\x00,1,2")
def test_any_bytes_are_a_table_or_not(data):
    table = parse_table(data)
    for name, (value, count) in (table or {}).items():
        assert name.isprintable()
        assert 0 <= value < count


TABLES = st.dictionaries(
    st.from_regex(r"\A[a-z_]{1,8}\Z"),
    st.integers(1, 300).flatmap(lambda count: st.tuples(st.integers(0, count - 1), st.just(count))),
    min_size=1,
)


@given(TABLES)
def test_what_is_written_is_read(table):
    text = "".join(f'"{name}", {value}, {count}\n' for name, (value, count) in table.items())
    assert parse_table(text.encode()) == table


def test_which_files_may_be_tables():
    assert all(map(is_table, ("a.csv", "x/y.CSV", "x\\y.csv")))
    assert not any(map(is_table, ("a.png", "csv", ".a.csv", "__MACOSX/a.csv", "a.csv/b")))


def test_a_table_belongs_to_the_picture_in_its_own_folder():
    tables = Tables()
    tables.add("v1.0/a.csv", b"hair,1,2")
    assert tables.labels_of(["v1.0/a"])[0]["hair"].tolist() == [1]
    assert tables.labels_of(["v1.0/a.png"])[0]["hair"].tolist() == [1]
    assert tables.labels_of(["v1.png"])[0] == tables.labels_of(["v1.0/b"])[0] == {}


def test_no_pictures_no_labels():
    assert Tables().labels_of([]) == ({}, {}, "")


# Tables in archives and folders.

ROWS = {
    "cs1": (RED, b'"hair", 29, 111\n"glasses", 0, 12\n'),
    "cs2": (GREEN, b'"glasses", 11, 12\n"hair", 3, 111\n'),
}


def entries(order):
    """The files of a small Cartoon Set, in alphabetical order or in reverse (-1)."""
    files = {f"cartoonset10k/{name}.png": plain(color) for name, (color, _) in ROWS.items()}
    files |= {f"cartoonset10k/{name}.csv": text for name, (_, text) in ROWS.items()}
    return [("cartoonset10k/", b""), *((name, files[name]) for name in sorted(files)[::order])]


def check(found, order=1):
    assert found.skipped == ()
    labels = {name: values.tolist()[::order] for name, values in found.labels.items()}
    assert labels == {"glasses": [0, 11], "hair": [29, 3]}
    assert all(values.dtype == np.int32 for values in found.labels.values())
    assert found.label_names["glasses"] == tuple(map(str, range(12)))
    assert [int(picture[0, 0].argmax()) for picture in found.images[::order]] == [0, 1]  # red, green


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("suffix", ["tgz", "tar.gz", "zip"])
def test_a_small_cartoon_set(data, suffix, order):
    path = data / f"cartoonset10k.{suffix}"
    if suffix == "zip":
        make_zip(path, entries(order))
    else:
        make_tar(path, entries(order)[1:], "gz")
    found = load_images(path, 4, cache_dir="cache", progress=False)
    check(found, order)
    again = load_images(path, 4, cache_dir="cache", progress=False)  # from the cache
    check(again, order)
    assert again.path == found.path


def test_the_same_set_as_a_folder(data):
    for name, content in entries(1)[1:]:
        put(data, name, content)
    check(load_images(data, 4, cache_dir="cache", progress=False))


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ([("cs3.png", plain(BLUE))], "labels: not used (1 of 3 pictures have none: cs3.png)"),
        (
            [("cs3.png", plain(BLUE)), ("cs3.csv", b"hair,3,111")],
            "labels: not used (not all pictures have the same attributes)",
        ),
        (
            [("cs3.png", plain(BLUE)), ("cs3.csv", b"hair,3,112\nglasses,0,12")],
            "labels: not used (not all pictures have the same attributes)",
        ),
    ],
)
def test_labels_that_some_pictures_lack_are_not_used_and_the_reason_is_given(data, extra, words):
    make_tar(data / "x.tgz", entries(1)[1:] + extra, "gz")
    found = load_images(data / "x.tgz", 4, cache_dir="cache", progress=False)
    assert len(found) == 3
    assert (found.labels, found.label_names, found.skipped) == ({}, {}, (words,))


def test_other_tables_are_ignored(data):
    make_zip(data / "x.zip", [("a.png", plain()), ("a.csv", b"x,y\n1,2"), ("list.csv", PUBLISHED)])
    found = load_images(data / "x.zip", 4, cache_dir="cache", progress=False)
    assert (found.labels, found.skipped) == ({}, ())
