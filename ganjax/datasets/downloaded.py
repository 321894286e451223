"""The cache of downloads: each file is downloaded once, and checked whenever it is used.

Every address has a folder of its own in the cache, with the file, the pictures prepared from it, and
``download.json``, which has the file's size and SHA-256. If no digest is published, that of the first
download is pinned: if the file at the source changes later, that is an error, and no run trains on other
pictures unnoticed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganjax.datasets.cache import prepared_sets
from ganjax.datasets.downloads import Part
from ganjax.datasets.images import shown
from ganjax.system.errors import UserError
from ganjax.system.files import atomic, cache_folder

if TYPE_CHECKING:
    from ganjax.datasets.downloads import Patience


@dataclass(frozen=True)
class Download:
    """A downloaded file.

    Attributes:
        url: its address.
        path: where it is in the cache; pictures prepared from it are in the same folder.
        size: in bytes.
        sha256: of its content, hexadecimal.
        published: whether that is equal to a published digest; if not, it was pinned on first use.
    """

    url: str
    path: Path
    size: int
    sha256: str
    published: bool


@dataclass(frozen=True)
class Kept:
    """What is in the cache from one address.

    Attributes:
        url: the address.
        download: the file, if it is complete.
        part: the number of bytes of an incomplete file.
        prepared: the sets of pictures prepared from it, as (height in pixels, bytes).
    """

    url: str
    download: Download | None
    part: int
    prepared: list[tuple[int, int]]

    @property
    def size(self) -> int:
        """Total size in bytes."""
        archive = self.download.size if self.download else self.part
        return archive + sum(size for _, size in self.prepared)


def download(
    url: str,
    *,
    size: int | None = None,
    sha256: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    offline: bool = False,
    allow_http: bool = False,
    progress: bool = True,
    patience: Patience | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Download:
    """The file at `url`: from the cache if it is there, else downloaded into the cache.

    Processes that need the same address at the same time wait for each other. A download that was interrupted
    is continued.

    Args:
        size: the file's size in bytes, if it is published.
        sha256: its digest (hexadecimal), if it is published. If it is not, it must be that of the first
            download.
        cache_dir: see `cache_folder`; files are in its folder `downloads`.
        offline: open no connection.
        allow_http, progress, patience, say: see `downloads.fetch`.

    Raises:
        UserError: it is not in the cache and `offline` is set, it cannot be downloaded (see
            `downloads.fetch`), it is not the expected file, or the cache folder cannot be written.
    """
    from ganjax.datasets.downloads import check_address

    home = _home(url, cache_dir)
    found = _found(home, sha256)
    if found:
        return found
    if offline:
        raise UserError(f"{url} is not in the cache: download it first, without --offline")
    check_address(url, allow_http)
    how = {"allow_http": allow_http, "progress": progress, "patience": patience, "say": say}
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home, say):
            # Another process may have downloaded it while this one waited.
            return _found(home, sha256) or _download(home, url, size, sha256, how)
    except OSError as error:
        raise UserError(
            f"cannot write the cache folder {shown(home)} ({error.strerror or error}): "
            "free space there, or choose another (--cache-dir)"
        ) from error


def kept(url: str, cache_dir: str | os.PathLike[str] | None = None) -> Kept:
    """What is in the cache from `url`."""
    home = _home(url, cache_dir)
    prepared = [(each.pixels, each.size) for each in prepared_sets(home)]
    return Kept(url, _found(home, None), Part(_part(home)).length, prepared)


def all_kept(cache_dir: str | os.PathLike[str] | None = None) -> list[Kept]:
    """What is in the cache from all addresses, in alphabetical order."""
    homes = [path for path in (cache_folder(cache_dir) / "downloads").glob("*/") if path.is_dir()]
    urls = {(_record(home) or {}).get("url") or Part(_part(home)).url for home in homes}
    return [kept(url, cache_dir) for url in sorted(filter(None, urls))]


def forget(url: str, cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Remove everything from `url` from the cache, also the pinned digest; returns the size in bytes.

    Raises:
        UserError: another process is downloading it, or it cannot be removed.
    """
    home, size = _home(url, cache_dir), kept(url, cache_dir).size
    if not home.exists():
        return 0

    def refuse(_: str) -> None:
        raise UserError(f"another process is downloading {url}: stop it, or wait for it")

    try:
        with _alone(home, refuse):
            shutil.rmtree(home)
    except OSError as error:
        raise UserError(f"cannot remove {shown(home)} ({error.strerror or error})") from error
    return size


def _download(home: Path, url: str, size: int | None, sha256: str | None, how: dict[str, Any]) -> Download:
    """Download to `home`, which no other process uses at the same time."""
    from ganjax.datasets.downloads import fetch

    part, before = Part(_part(home)), _record(home)
    how["say"](f"downloading {url}")
    fetch(url, part.path, size=size, **how)
    digest = _digest(part.path)
    pinned = None if sha256 or before is None else before["sha256"]
    if digest != (sha256 or pinned or digest):
        part.remove()
        if sha256:
            raise UserError(
                f"{url} is not the expected file: its SHA-256 is {digest}, and {sha256} is published; "
                "it was not kept: try again, or use another source"
            )
        raise UserError(
            f"{url} is another file than before: its SHA-256 is {digest}, and {pinned} was pinned on first "
            f"use; it was not kept: to accept the change, remove the old one by `ganjax data remove {url}`"
        )
    about = part.path.stat()
    record = {
        "url": url,
        "size": about.st_size,
        "modified": about.st_mtime_ns,
        "sha256": digest,
        "published": sha256 is not None,
    }
    with atomic(home / "download.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
    with part.path.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part.path, _archive(home))
    part.remove()
    if sha256 is None and pinned is None:
        how["say"](f"no digest is published; this one is pinned: sha256 {digest}")
    found = _found(home, sha256)
    if found is None:
        raise OSError(f"{_archive(home)} was not read back as it was written")
    return found


def _found(home: Path, sha256: str | None) -> Download | None:
    """The file in `home`; None if it is missing, has changed, or has another digest than `sha256`."""
    record, path = _record(home), _archive(home)
    if record is None or (sha256 and record["sha256"] != sha256):
        return None
    try:
        about = path.stat()
        as_it_was = (about.st_size, about.st_mtime_ns) == (record["size"], record["modified"])
        if not as_it_was and _digest(path) != record["sha256"]:
            return None
    except OSError:
        return None
    published = sha256 is not None or record["published"]
    return Download(record["url"], path, about.st_size, record["sha256"], published)


def _record(home: Path) -> dict[str, Any] | None:
    """The content of ``download.json``; None if it is missing or damaged."""
    try:
        said = json.loads((home / "download.json").read_text(encoding="utf-8"))
        kinds = {"url": str, "size": int, "modified": int, "sha256": str, "published": bool}
        return said if all(isinstance(said[name], kind) for name, kind in kinds.items()) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _home(url: str, cache_dir: str | os.PathLike[str] | None) -> Path:
    """The folder of an address: its name is the file's name and a digest of the address."""
    last = url.split("?")[0].split("#")[0].rstrip("/").rsplit("/", 1)[-1]
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", last).strip(".")[-60:] or "archive"
    key = hashlib.sha256(url.encode(errors="surrogateescape")).hexdigest()[:16]
    return cache_folder(cache_dir) / "downloads" / f"{name}-{key}"


def _archive(home: Path) -> Path:
    return home / home.name[: -len("-0123456789abcdef")]


def _part(home: Path) -> Path:
    return home / f"{_archive(home).name}.part"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _alone(home: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """A block for one process at a time; `waiting` is called if this one has to wait. (No lock on Windows.)

    The lock file is never removed: two processes could then lock two files of the same name.
    """
    with home.with_name(f".{home.name}.lock").open("ab") as file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting("another process is downloading this file: waiting")
            fcntl.flock(file, fcntl.LOCK_EX)
        home.mkdir(exist_ok=True)  # it may have been removed meanwhile
        yield
