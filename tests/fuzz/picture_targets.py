"""Targets that read pictures: a folder, a .zip, a .tar, a cached set."""

import bz2
import functools
import gzip
import io
import json
import lzma
import tarfile
import tempfile
import zipfile

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from ganjax.datasets import load_images
from ganjax.datasets.cache import Contents, cached
from ganjax.datasets.images import is_picture, picture_extensions

from .exploring import Link, Target
from .inputs import altered, altered_json, files, repacked, summed


@functools.cache
def pictures():
    """Encoded small pictures of every kind."""
    gradient = Image.linear_gradient("L").resize((9, 7))
    color = Image.merge("RGB", (gradient, gradient.rotate(180), gradient))
    kinds = {
        "PNG": [
            color,
            color.convert("P"),
            color.convert("1"),
            color.convert("RGBA"),
            gradient.convert("I;16"),
        ],
        "JPEG": [color, color.convert("CMYK"), gradient],
        "WEBP": [color],
        "BMP": [color, color.convert("P")],
        "TIFF": [color, color.convert("CMYK"), gradient.convert("I;16"), gradient.convert("F")],
        "JPEG2000": [color],
        "AVIF": [color],
        "PPM": [color, gradient],
        "QOI": [color],
    }
    encoded = [_encoded(image, kind) for kind, images in kinds.items() for image in images]
    for kind in ("GIF", "PNG", "WEBP"):
        encoded.append(_encoded(color, kind, save_all=True, append_images=[color.rotate(90)]))
    exif = Image.Exif()
    exif[0x0112] = 6
    return [*encoded, _encoded(color, "JPEG", exif=exif)]


def _encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def folders():
    part = st.binary(min_size=1, max_size=12).filter(lambda name: not {0, ord("/")} & set(name))
    end = st.sampled_from([end.encode() for end in sorted(picture_extensions())] + [b"", b".txt", b".psd"])
    name = st.tuples(st.lists(part.filter(lambda name: name not in (b".", b"..")), max_size=2), part, end)
    link = st.sampled_from([b".", b"..", b"a.png", b"nowhere", b"/dev/null", b"/dev/zero"]).map(Link)
    return st.dictionaries(
        name.map(lambda name: b"/".join([*name[0], name[1] + name[2]])),
        altered(pictures()) | link,
        max_size=4,
    )


def read_folder(folder, scratch):
    paths = list(folder.rglob("*"))
    files = [path.relative_to(folder).as_posix() for path in paths if not path.is_dir()]
    found = load_images(folder, 8, scratch, progress=False)
    _check_pictures(found)
    # Every file whose name is that of a picture is used or named, and none twice.
    assert sum(map(is_picture, files)) <= len(found) + len(found.skipped) <= len(paths)


def read_archive(folder, scratch):
    _check_pictures(load_images(folder / "archive", 8, scratch, progress=False))


def _check_pictures(found):
    assert found.images.dtype == np.uint8
    assert found.images.shape == (len(found), 8, 8, 3)
    assert len(found) > 0
    assert all(line.isprintable() for line in found.skipped)


@functools.cache
def members():
    names = [
        "a.png",
        "d/b.jpg",
        "../up.png",
        "/root.png",
        "new\nline.gif",
        "é.bmp",
        "x" * 60 + "/" + "y" * 60 + ".png",
        "notes.txt",
    ]
    return dict(zip(names, [picture[:400] for picture in pictures()], strict=False))


def zips():
    def archive(compression):
        return repacked(lambda file: zipfile.ZipFile(file, "w", compression), members())

    kinds = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    return files(archive=altered([archive(kind) for kind in kinds]))


def tars():
    def archive(form):
        return repacked(lambda file: tarfile.open(fileobj=file, mode="w", format=form), members())

    plain = altered(
        [archive(form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
    )
    believed = plain | plain.map(summed)
    compressed = st.tuples(st.sampled_from([gzip.compress, bz2.compress, lzma.compress]), believed)
    packed = compressed.map(lambda chosen: chosen[0](chosen[1]))
    return files(archive=believed | packed | packed.flatmap(lambda content: altered([content], most=2)))


# Cached sets.

SET = np.arange(3 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 4, 4, 3)


def _open_set(folder):
    def build(write):
        write(SET)
        return Contents({"hair": np.array([1, 0, 1])}, {"hair": ("none", "bob")}, ("x.png: is a link",))

    return cached("set", {"of": "a test"}, 4, build, folder)


def cached_sets():
    with tempfile.TemporaryDirectory() as folder:
        home = _open_set(folder).path
        assert home is not None
        sound = {f"{home.name}/{path.name}".encode(): path.read_bytes() for path in home.iterdir()}
    about = next(json.loads(content) for name, content in sound.items() if name.endswith(b".json"))
    damaged = {
        name: altered([content], most=2) | (altered_json(about) if name.endswith(b".json") else st.nothing())
        for name, content in sound.items()
    }
    return st.fixed_dictionaries({}, optional=damaged)


def read_set(folder, scratch):
    # The result is always the original set: a damaged one is built again.
    found = _open_set(folder)
    np.testing.assert_array_equal(found.images, SET)
    np.testing.assert_array_equal(found.labels["hair"], [1, 0, 1])
    assert found.label_names == {"hair": ("none", "bob")}
    assert (found.name, found.skipped) == ("set", ("x.png: is a link",))
    assert len(list(folder.iterdir())) == 1


TARGETS = (
    Target("folder", folders, read_folder),
    Target("zip", zips, read_archive),
    Target("tar", tars, read_archive),
    Target("cache", cached_sets, read_set),
)
