"""Archives give their files in order, refuse what could do harm, and unpack to a limited size."""

import io
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import make_tar, make_zip

from ganjax.datasets import archives
from ganjax.datasets.archives import Entry, read_archive
from ganjax.datasets.images import points_outside
from ganjax.system.errors import UserError


def wanted(name):
    return name.endswith(".png")


def read(path, most=100):
    def refuse(name, size):
        return f"is over the limit of {most} bytes" if size > most else ""

    return list(read_archive(path, wanted, refuse))


NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6
) | st.sampled_from(["..", ".", "a/..", "/a", "C:", "a\\b", "x" * 150, "d/" * 60])
FILES = st.dictionaries(
    st.tuples(NAMES, st.sampled_from([".png", ".txt", "/../a.png"])).map("".join),
    st.binary(max_size=200),
    max_size=5,
)


@given(FILES, st.sampled_from(["zip", "", "gz", "bz2", "xz"]))
def test_files_of_any_names_are_read_or_refused_in_order(tmp_path, files, kind):
    if kind == "zip":
        make_zip(tmp_path / "x", files.items())
    else:
        make_tar(tmp_path / "x", files.items(), kind)
    expected = []
    for name, data in files.items():
        if points_outside(name):
            expected.append(Entry(name, refused="points outside the archive"))
        elif len(data) > 100:
            expected.append(Entry(name, refused="is over the limit of 100 bytes"))
        else:
            expected.append(Entry(name, data))
    assert read(tmp_path / "x") == [entry for entry in expected if wanted(entry.name)]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_file_in_a_zip_is_refused_and_the_next_one_read(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "x", "w", compression) as archive:
        archive.writestr("a.png", b"a" * 90)
        archive.writestr("b.png", b"b" * 90)
    content = bytearray((tmp_path / "x").read_bytes())
    content[30 + len("a.png") + 9] ^= 0xFF
    (tmp_path / "x").write_bytes(content)
    first, second = read(tmp_path / "x")
    assert first.refused.startswith("cannot be unpacked (")
    assert second == Entry("b.png", b"b" * 90)


def test_a_file_that_is_larger_than_the_archive_says_is_refused(tmp_path):
    make_zip(tmp_path / "x", [("a.png", bytes(10_000))])
    content = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(content.replace((10_000).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    (only,) = read(tmp_path / "x")
    assert only.refused.startswith("cannot be unpacked (")


def test_the_limit_grows_with_the_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 1000)
    make_zip(tmp_path / "x", [(f"{i}.png", bytes(range(100))) for i in range(50)])
    assert len(read(tmp_path / "x")) == 50  # 5000 bytes from an archive of about as many
    make_zip(tmp_path / "x", [("a.png", bytes(50_000))])
    with pytest.raises(UserError, match="would unpack to more than"):
        read(tmp_path / "x", most=50_000)
    assert "over the limit" in read(tmp_path / "x", most=49_999)[0].refused


def tar_header(**values):
    info = tarfile.TarInfo("a.png")
    for name, value in values.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def test_a_header_that_claims_to_be_huge_is_refused(tmp_path):
    intact = io.BytesIO()
    with tarfile.open(fileobj=intact, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("intact.png"), io.BytesIO())
    header = tar_header(type=tarfile.XHDTYPE, size=2**33)
    (tmp_path / "x").write_bytes(intact.getvalue()[:512] + header + bytes(1024))
    with pytest.raises(UserError, match="a header of 8589934592 bytes"):
        read(tmp_path / "x")


def test_a_tar_whose_header_points_back_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(tar_header() + tar_header(size=-1024) + bytes(1024))
    with pytest.raises(UserError, match="cannot read the archive"):
        read(tmp_path / "x")


def test_a_tar_that_ends_within_a_file_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(tar_header(size=90) + bytes(50))
    with pytest.raises(UserError, match="unexpected end of data"):
        read(tmp_path / "x")


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_links_are_named_and_not_followed(tmp_path, form):
    """Whatever their target: files in the archive are read under their own name, and no other may be read."""
    if form == "zip":
        with zipfile.ZipFile(tmp_path / "x", "w") as archive:
            archive.writestr("a.png", b"picture")
            for name, target in (("b.png", "a.png"), ("class", "/etc"), ("again", ".")):
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o120777 << 16
                archive.writestr(info, target)
    else:
        with tarfile.open(tmp_path / "x", "w") as archive:
            info = tarfile.TarInfo("a.png")
            info.size = 7
            archive.addfile(info, io.BytesIO(b"picture"))
            for name, target in (("b.png", "a.png"), ("class", "/etc"), ("again", ".")):
                info = tarfile.TarInfo(name)
                info.type, info.linkname = tarfile.SYMTYPE, target
                archive.addfile(info)
    first, *links = read_archive(tmp_path / "x", lambda name: True, lambda name, size: "")
    assert first == Entry("a.png", b"picture")
    assert [entry.name for entry in links] == ["b.png", "class", "again"]
    assert all(entry.refused.startswith("is a link") for entry in links)


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_refused_files_are_not_unpacked(tmp_path, form, monkeypatch):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 1000)
    entries = [("big.npy", bytes(50_000)), ("a.png", b"a")]
    (make_zip if form == "zip" else make_tar)(tmp_path / "x", entries)

    def refuse(name, size):
        return "no picture" if name.endswith(".npy") else ""

    found = list(read_archive(tmp_path / "x", lambda name: True, refuse))
    assert found == [Entry("big.npy", refused="no picture"), Entry("a.png", b"a")]
