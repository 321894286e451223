"""Small pictures as files, and archives of them."""

import io
import struct
import tarfile
import zipfile

import numpy as np
from PIL import Image

RED, GREEN, BLUE = (250, 0, 0), (0, 250, 0), (0, 0, 250)


def encode(image, kind="PNG", **options):
    """The content of a file of `image`."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(color=RED, size=(10, 10), kind="PNG"):
    """The content of a file of a picture of one colour."""
    return encode(Image.new("RGB", size, color), kind)


def photograph():
    """A JPEG that cannot be cut without damage."""
    return encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), "JPEG")


def tiff(pixels, bits, sample_format=1):
    """The content of a little-endian TIFF file of one grey row: its `pixels` as bytes, of `bits` each.

    Pillow cannot write some kinds that it can read. The tags are those of TIFF 6.0.
    """
    width = 8 * len(pixels) // bits
    tags = [(256, width), (257, 1), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1)]
    tags += [(279, len(pixels)), (339, sample_format)]
    fields = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    padding = b"\0" * (len(pixels) % 2)
    start = struct.pack("<2sHI", b"II", 42, 8 + len(pixels + padding))
    return start + pixels + padding + struct.pack("<H", len(tags)) + fields + bytes(4)


def put(folder, name, data):
    """Write `data` to the file `name` in `folder`, and make the folders for it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def make_zip(path, entries):
    """A .zip of (name, bytes), in that order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def make_tar(path, entries, compression=""):
    """A .tar of (name or TarInfo, bytes), in that order; `compression` is "", "gz", "bz2" or "xz"."""
    with tarfile.open(path, f"w:{compression}") as archive:
        for name, data in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
