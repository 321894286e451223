"""Downloading one file, in spite of interruptions.

This is the only module of ganjax that opens a connection. `fetch` writes a file's bytes to a part file, with
a note of the version of the file that they come from (`Part`). A later call, in this process or
another, continues where the earlier one ended, by a range request (RFC 9110, section 14) for that version
(If-Range, section 13.1.5). If the file has changed meanwhile, the download starts again: two versions are
never mixed. `downloaded.py` checks whether the content is right.

Proxies, certificates and ~/.netrc are used as by the library requests: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY,
NO_PROXY, REQUESTS_CA_BUNDLE.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from ganjax.datasets.images import shown
from ganjax.system.errors import UserError
from ganjax.system.files import atomic

if TYPE_CHECKING:
    import requests

MAX_BYTES = 2**34
REDIRECTS = 5  # in a row
SPARE = 2**26  # bytes that stay free on the disk
# Failures are counted from the start again after so many more bytes: some servers often close connections.
PROGRESS = 2**20
_BLOCK = 2**16
_BUSY = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Patience:
    """How many failures in a row to accept, and how long to wait. All times are in seconds.

    Attributes:
        failures: the number of failures after which `fetch` gives up.
        first_wait: the wait after the first failure. It is doubled after each further one, and each wait is
            shortened at random by up to a half, so that not all clients return at the same time.
        longest_wait: the longest wait, also if the server asks for a longer one (Retry-After).
        stall: an attempt fails if it gets no connection, or no data, for so long.
        sleep: called to wait.
    """

    failures: int = 5
    first_wait: float = 1.0
    longest_wait: float = 300.0
    stall: float = 30.0
    sleep: Callable[[float], None] = time.sleep


class _Failed(Exception):
    """An attempt failed, and another may succeed. `wait`: the seconds that the server asked to wait."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def fetch(
    url: str,
    part: Path,
    *,
    size: int | None = None,
    max_bytes: int = MAX_BYTES,
    allow_http: bool = False,
    progress: bool = True,
    patience: Patience | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Download the file at `url` to `part`, continuing an earlier download.

    If this raises, `part` and `part`.json contain what was received, for the next call.

    Args:
        url: https://, or http:// to this computer or with `allow_http`. The same holds for redirects, which
            are never followed from https:// to http://.
        part: a path in a folder of its own, not used by another process at the same time.
        size: the file's size in bytes, if it is known.
        max_bytes: the largest size to accept.
        progress: show a progress bar (on a terminal only).
        say: called with a message after every failure that is followed by another attempt.

    Raises:
        UserError: the address is refused or wrong, the file has another size than expected or is larger than
            `max_bytes`, the disk has no space for it, or all attempts failed.
        OSError: the part file cannot be written.
    """
    check_address(url, allow_http)
    patience = patience or Patience()
    failures, furthest = 0, 0
    with _session() as session:
        while True:
            kept = Part(part)
            if kept.is_whole:
                return
            try:
                with _answer(session, url, kept.range_headers(), allow_http, patience.stall) as answer:
                    if answer.status_code == HTTPStatus.OK:
                        kept.begin(url, answer.headers, answer.raw.length_remaining)
                    elif not kept.goes_on(answer.headers):
                        raise _Failed("the server does not continue the file")
                    _check_size(url, kept.total, size, max_bytes)
                    _check_room(url, kept)
                    most = next(n for n in (kept.total, size, max_bytes) if n is not None)
                    _receive(answer, kept, url, most, progress)
                if kept.total is not None and kept.length < kept.total:
                    raise _Failed(f"the connection broke off after {kept.length} of {kept.total} bytes")
                _check_size(url, kept.length, size, max_bytes)
                kept.note(url, kept.length)
                return
            except _Failed as failure:
                if kept.length >= furthest + PROGRESS:
                    failures, furthest = 0, kept.length
                failures += 1
                wait = max(failure.wait, _back_off(failures, patience))
                if failures >= patience.failures or wait > patience.longest_wait:
                    asked = f" (it asks to wait for {wait:.0f} s)" if failure.wait == wait else ""
                    there = f"; the {kept.length} bytes received are kept" if kept.length else ""
                    reason = f"{failure}{asked}: try again later{there}"
                    raise UserError(f"cannot download {url}: {reason}") from None
                say(f"{failure}: trying again in {wait:.1f} s ({failures} of {patience.failures - 1})")
                patience.sleep(wait)


def check_address(url: str, allow_http: bool = False) -> None:
    """Raise UserError unless `fetch` may open `url`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UserError(
            f"{url} is not an address ({error}): give one like https://host/pictures.zip"
        ) from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\x00-\x20\x7f\\]", url):
        raise UserError(f"{url} is not an address to download from: give one like https://host/pictures.zip")
    if parts.username is not None or parts.password is not None:
        # They would be in the manifest of every run.
        raise UserError(f"the address at {host} contains a name or password: put them into ~/.netrc")
    if parts.scheme == "http" and not allow_http and not _is_here(host):
        raise UserError(
            f"{url} is not encrypted, so the file could be changed on the way: give its https:// address, or "
            f"accept the risk with `ganjax data get {url} --allow-http`"
        )


def next_address(url: str, location: str, allow_http: bool) -> str:
    """The address to which `url` redirects, whose answer has this `location`.

    Raises:
        UserError: it may not be opened: it has another protocol, or is not encrypted while `url` is.
    """
    try:
        target = urljoin(url, location)
        check_address(target, allow_http)
    except (UserError, ValueError) as error:
        raise UserError(f"{url} redirects to {shown(location)}, which is refused: {error}") from None
    if url.startswith("https:") and not target.startswith("https:"):
        raise UserError(f"{url} redirects to {target}, which is not encrypted: give another address")
    return target


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _session() -> requests.Session:
    import requests

    from ganjax import __version__

    session = requests.Session()
    # Without content coding: length, ranges and digest are those of the file itself.
    session.headers.update({"User-Agent": f"ganjax/{__version__}", "Accept-Encoding": "identity"})
    # requests would read the whole body of a redirect, which may be endless.
    session.get_redirect_target = lambda resp: None
    return session


@contextlib.contextmanager
def _answer(
    session: requests.Session, url: str, headers: Mapping[str, str], allow_http: bool, stall: float
) -> Iterator[requests.Response]:
    """The response to a request for `url`, with status 200 or 206, before its body is read."""
    with _failures_of_the_network(url, stall):
        answer, address = _get(session, url, headers, stall), url
        for _ in range(REDIRECTS):
            if not answer.is_redirect:
                break
            answer.close()
            address = next_address(address, answer.headers["location"], allow_http)
            answer = _get(session, address, headers, stall)
    with answer:
        if answer.is_redirect:
            raise UserError(f"{url} redirects more than {REDIRECTS} times: give another address")
        _check_status(answer, address)
        with _failures_of_the_network(url, stall):
            yield answer


def _get(session: requests.Session, url: str, headers: Mapping[str, str], stall: float) -> requests.Response:
    return session.get(url, headers=dict(headers), stream=True, allow_redirects=False, timeout=stall)


def _check_status(answer: requests.Response, address: str) -> None:
    status = answer.status_code
    if status in _BUSY:
        raise _Failed(_said(status), _retry_after(answer.headers.get("retry-after", "")))
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return  # `Part.goes_on` finds no range in its headers
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise UserError(f"cannot download {address}: {_said(status)}: check the address")
    if answer.headers.get("content-type", "").lower().startswith("text/html"):
        raise UserError(f"{address} is a web page, not an archive: give the address of the file itself")


def _said(status: int) -> str:
    try:
        return f"the server answers {status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return f"the server answers {status}"


@contextlib.contextmanager
def _failures_of_the_network(url: str, stall: float) -> Iterator[None]:
    """Turn errors of requests and urllib3 into `_Failed`, or into UserError if trying again is useless."""
    import requests
    import urllib3

    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        reason = _reason(error, stall)
        if isinstance(error, ValueError) or "certificate" in reason:
            raise UserError(f"cannot download {url}: {reason}") from error
        raise _Failed(reason) from error


def _reason(error: BaseException, stall: float) -> str:
    """The innermost of the nested errors of the libraries, in a few words."""
    chain: list[BaseException] = []
    inner: Any = error
    while isinstance(inner, BaseException) and inner not in chain:
        chain.append(inner)
        inner = inner.__cause__ or inner.__context__
    if any(isinstance(each, TimeoutError) or "Timeout" in type(each).__name__ for each in chain):
        return f"no data for {stall:g} s"
    if any("Proxy" in type(each).__name__ for each in chain):
        return f"the proxy failed ({getattr(chain[-1], 'strerror', None) or chain[-1]})"
    told = getattr(chain[-1], "strerror", None) or str(chain[-1])
    return "the connection broke off" if "IncompleteRead" in told or not told else shown(told)


def _retry_after(text: str) -> float:
    """Seconds in the header Retry-After (RFC 9110, section 10.2.3); 0 if it cannot be understood."""
    if text.strip().isdecimal():
        return float(text[:12])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError, OSError):
        return 0.0


def _back_off(failures: int, patience: Patience) -> float:
    return min(patience.longest_wait, patience.first_wait * 2.0 ** (failures - 1)) * random.uniform(0.5, 1.0)


def _check_size(url: str, length: int | None, size: int | None, max_bytes: int) -> None:
    if length is not None and size is not None and length != size:
        raise UserError(f"{url} has {length} bytes instead of {size}: the file has changed")
    if length is not None and length > max_bytes:
        raise UserError(f"{url} has {length} bytes, which is over the limit of {max_bytes}")


def _check_room(url: str, part: Part) -> None:
    free = max(shutil.disk_usage(part.path.parent).free - SPARE, 0)
    if part.total is not None and part.total - part.length > free:
        raise UserError(
            f"{url} needs {part.total - part.length} more bytes, and {part.path.parent} has {free}: "
            "free space there, or choose another folder (--cache-dir)"
        )


def _receive(answer: requests.Response, part: Part, url: str, most: int, progress: bool) -> None:
    from tqdm import tqdm

    bar = tqdm(
        total=part.total,
        initial=part.length,
        desc=f"downloading {part.path.stem}",
        unit="B",
        unit_scale=True,
        disable=None if progress else True,
    )
    with bar, part.path.open("ab", buffering=0) as file:
        for block in answer.raw.stream(_BLOCK, decode_content=False):
            if part.length + len(block) > most:
                part.clear()
                raise UserError(f"{url} has more than {most} bytes: it is not the expected file")
            file.write(block)
            part.length += len(block)
            bar.update(len(block))


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
