"""Labels in files beside the pictures: for `face.png` a `face.csv`, as in Google's Cartoon Set.

Each line is one attribute: its name, the number of the picture's value, and how many values there are::

    "face_shape", 4, 7
    "hair", 29, 111

Other .csv files are ignored.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np

from ganjax.datasets.images import extension, is_visible, shown

MAX_BYTES = 2**16  # of a .csv file; those of Cartoon Set have about 500
MAX_VALUES = 10_000  # of an attribute
_MAX_NAME = 100  # letters


def is_table(name: str) -> bool:
    """Whether a file of this name, relative to its folder or archive, may hold a picture's labels."""
    return is_visible(name) and extension(name) == ".csv"


def parse_table(data: bytes) -> dict[str, tuple[int, int]] | None:
    """The labels in a .csv file: attribute -> (value, number of values); None if it has no labels."""
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
        is_new_name = 0 < len(name) <= _MAX_NAME and name.isprintable() and name not in table
        if not is_new_name or not 0 <= value < count <= MAX_VALUES:
            return None
        table[name] = (value, count)
    return table or None


class Tables:
    """The labels of many pictures."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[int, np.ndarray]] = {}  # name without extension -> kind of table, values
        self._kinds: dict[tuple[tuple[str, int], ...], int] = {}  # attributes with counts, sorted -> kind

    def add(self, name: str, data: bytes) -> None:
        """Add the labels in the file `name`, if it is a table of labels."""
        table = parse_table(data)
        if table is not None:
            kind = tuple((attribute, table[attribute][1]) for attribute in sorted(table))
            values = np.asarray([table[attribute][0] for attribute, _ in kind], np.int32)
            self._rows[_stem(name)] = (self._kinds.setdefault(kind, len(self._kinds)), values)

    def labels_of(
        self, pictures: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]], str]:
        """The labels and label names of these pictures, as in an `ImageSet`, and why there are none.

        There are none unless every picture has a table, and all tables have the same attributes: no number
        stands for a missing label. The names of values are their numbers. The reason is empty if no picture
        has a table.
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
