"""Small pictures as files, and archives of them."""

import io
import struct
import tarfile
import zipfile

import numpy as np
from PIL import Image

RED, GREEN, BLUE = (250, 0, 0), (0, 250, 0), (0, 0, 250)


def encode(image, kind="PNG", **options):
    """The file of `image`, as bytes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(color=RED, size=(10, 10), kind="PNG"):
    """The file of a picture of one colour, as bytes."""
    return encode(Image.new("RGB", size, color), kind)


def photograph():
    """A JPEG that needs all of its bytes."""
    return encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), "JPEG")


def tiff(pixels, bits, sample_format=1, photometric=1):
    """A TIFF of one grey row, as bytes: `pixels` as they lie in the file, of so many `bits` each.

    Pillow does not write all that it reads. The tags are TIFF 6.0's; little-endian.
    """
    width = 8 * len(pixels) // bits
    tags = [(256, width), (257, 1), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, 1)]
    tags += [(279, len(pixels)), (339, sample_format)]
    fields = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    padding = b"\0" * (len(pixels) % 2)
    start = struct.pack("<2sHI", b"II", 42, 8 + len(pixels + padding))
    return start + pixels + padding + struct.pack("<H", len(tags)) + fields + bytes(4)


def put(folder, name, data):
    """Write `data` to `name` under `folder`, with the folders between."""
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
