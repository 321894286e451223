"""An incomplete download: the bytes received so far, and the version of the file that they come from."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from ganjax.files import atomic


class Part:
    """The bytes in the file `path`, described by a .json file beside it.

    Attributes:
        path: the file with the bytes.
        length: their number.
        total: the number of bytes of the complete file, if it is known.
        version: the complete file's entity tag or date of change; empty if it has neither, in which case the
            download has to start again.
        url: its address.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.about = path, path.with_name(f"{path.name}.json")
        self.version, self.url, self.length = "", "", 0
        self.total: int | None = None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(self.about.read_text(encoding="utf-8"))
            self.version, self.url, self.total = str(said["version"]), str(said["url"]), said["total"]
            self.length = path.stat().st_size

    @property
    def is_whole(self) -> bool:
        return bool(self.length) and self.length == self.total

    def range_headers(self) -> dict[str, str]:
        """Headers that request the rest of the file, or all of it if it has changed."""
        if not self.length or not self.version:
            return {}
        return {"Range": f"bytes={self.length}-", "If-Range": self.version}

    def begin(self, url: str, headers: Mapping[str, str], length: int | None) -> None:
        """Start again, without bytes, with the version of the file that is in `headers`.

        Args:
            length: the number of bytes of the file, if it is known.
        """
        self.clear()
        self.version = _version(headers)
        self.note(url, length)

    def goes_on(self, headers: Mapping[str, str]) -> bool:
        """Whether a response with these headers continues the file; if not, all bytes are removed."""
        place = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", headers.get("content-range", ""))
        version = _version(headers)
        # A part has the same tag as the complete file (RFC 9110, section 15.3.7), but may lack the date.
        is_same = version == self.version or (not version and not self.version.startswith('"'))
        if place is None or int(place[1]) != self.length or not is_same:
            self.clear()
            return False
        self.total = None if place[2] == "*" else int(place[2])
        return True

    def note(self, url: str, total: int | None) -> None:
        """Write the description of the bytes."""
        self.url, self.total = url, total
        with atomic(self.about) as temporary:
            said = {"url": url, "version": self.version, "total": total}
            temporary.write_text(json.dumps(said), encoding="utf-8")

    def clear(self) -> None:
        """Remove all bytes."""
        self.path.write_bytes(b"")
        self.length = 0

    def remove(self) -> None:
        """Remove both files."""
        self.path.unlink(missing_ok=True)
        self.about.unlink(missing_ok=True)


def _version(headers: Mapping[str, str]) -> str:
    tag = headers.get("etag", "")
    if tag.startswith("W/"):  # a weak tag: versions with the same may differ in their bytes
        tag = ""
    return tag or headers.get("last-modified", "")
