"""A download that has not ended: its bytes so far, and of which version of which file they are."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from ganjax.system.files import atomic


class Part:
    """The bytes in `path`; beside them, in a .json, what they are.

    Attributes:
        path: the bytes.
        length: how many there are.
        total: how many the whole file has, where that is known.
        version: the file's entity tag or date of change; where it has neither, empty: then it is begun anew.
        url: where it comes from.
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
        """Headers that ask for the rest, or, if the file is another by now, for all of it."""
        if not self.length or not self.version:
            return {}
        return {"Range": f"bytes={self.length}-", "If-Range": self.version}

    def begin(self, url: str, headers: Mapping[str, str], length: int | None) -> None:
        """Forget all bytes: all of the file comes, of which its `headers` say the version.

        Args:
            length: how many bytes will come, where that is known.
        """
        self.clear()
        self.version = _version(headers)
        self.note(url, length)

    def goes_on(self, headers: Mapping[str, str]) -> bool:
        """Whether what comes with these headers continues what is here; if not, all bytes are forgotten."""
        place = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", headers.get("content-range", ""))
        version = _version(headers)
        # A part carries the tag that the whole would (RFC 9110, section 15.3.7), but need not carry a date.
        is_same = version == self.version or (not version and not self.version.startswith('"'))
        if place is None or int(place[1]) != self.length or not is_same:
            self.clear()
            return False
        self.total = None if place[2] == "*" else int(place[2])
        return True

    def note(self, url: str, total: int | None) -> None:
        """Write down what the bytes are."""
        self.url, self.total = url, total
        with atomic(self.about) as temporary:
            said = {"url": url, "version": self.version, "total": total}
            temporary.write_text(json.dumps(said), encoding="utf-8")

    def clear(self) -> None:
        """Forget all bytes."""
        self.path.write_bytes(b"")
        self.length = 0

    def remove(self) -> None:
        """Leave no file behind."""
        self.path.unlink(missing_ok=True)
        self.about.unlink(missing_ok=True)


def _version(headers: Mapping[str, str]) -> str:
    tag = headers.get("etag", "")
    if tag.startswith("W/"):  # equal for versions that only mean the same
        tag = ""
    return tag or headers.get("last-modified", "")
