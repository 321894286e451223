"""Labels that stand beside pictures: for `face.png` a `face.csv`, as in Google's Cartoon Set.

A line is one attribute: its name, which of its values the picture has, and how many values there are::

    "face_shape", 4, 7
    "hair", 29, 111

Any other .csv file is none of ours, and passed over.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from ganjax.datasets.images import is_visible, shown

MAX_BYTES = 2**16  # of a .csv file; Cartoon Set's have some five hundred
MAX_VALUES = 10_000  # of an attribute
_MAX_NAME = 100  # letters


def is_table(name: str) -> bool:
    """Whether a file of this name, relative to its folder or archive, may hold a picture's labels."""
    return is_visible(name) and PurePosixPath(name.replace("\\", "/")).suffix.lower() == ".csv"


def parse_table(data: bytes) -> dict[str, tuple[int, int]] | None:
    """What a .csv file says: attribute -> (value, number of values); None where it is no table of labels."""
    if len(data) > MAX_BYTES:
        return None
    try:
        lines = data.decode("utf-8-sig").splitlines()
        rows = [row for row in csv.reader(lines, skipinitialspace=True) if row]
    except (UnicodeDecodeError, csv.Error):
        return None
    table: dict[str, tuple[int, int]] = {}
    for row in rows:
        if len(row) != 3 or not all(word.strip().isdecimal() and len(word) < 20 for word in row[1:]):
            return None
        name, value, count = row[0].strip(), int(row[1]), int(row[2])
        sound = 0 < len(name) <= _MAX_NAME and name.isprintable() and name not in table
        if not sound or not 0 <= value < count <= MAX_VALUES:
            return None
        table[name] = (value, count)
    return table or None


class Tables:
    """The tables of many pictures, held as numbers."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[int, np.ndarray]] = {}  # name without suffix -> kind, values
        self._kinds: dict[tuple[tuple[str, int], ...], int] = {}  # attributes with counts, sorted -> number

    def add(self, name: str, data: bytes) -> None:
        """Take what the file `name` says, if it is a table of labels."""
        table = parse_table(data)
        if table is not None:
            kind = tuple((attribute, table[attribute][1]) for attribute in sorted(table))
            values = np.asarray([table[attribute][0] for attribute, _ in kind], np.int32)
            self._rows[_stem(name)] = (self._kinds.setdefault(kind, len(self._kinds)), values)

    def labels_of(
        self, pictures: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]], str]:
        """Labels of the pictures of these names, as an `ImageSet` holds them, and why there are none.

        There are none unless every picture has a table, and all tables are of the same attributes: a label
        that is missing has no number. Values have no names but their numbers. The reason is empty where no
        picture has a table.
        """
        rows = [self._rows.get(_stem(name)) for name in pictures]
        without = [name for name, row in zip(pictures, rows, strict=True) if row is None]
        found = [row for row in rows if row is not None]
        if not found:
            return {}, {}, ""
        if without:
            count = f"{len(without)} of {len(rows)} pictures have none"
            return {}, {}, f"labels: not used ({count}: {shown(without[0])})"
        if len({kind for kind, _ in found}) > 1:
            return {}, {}, "labels: not used (not all pictures have the same attributes)"
        attributes = list(self._kinds)[found[0][0]]
        columns = np.stack([values for _, values in found], axis=1)
        labels = {name: columns[i] for i, (name, _) in enumerate(attributes)}
        return labels, {name: tuple(map(str, range(count))) for name, count in attributes}, ""


def _stem(name: str) -> str:
    folder, slash, file = name.replace("\\", "/").rpartition("/")
    return folder + slash + file.rsplit(".", 1)[0]
