"""`ganjax data list|get|remove`: the data sets known by name, and what of them is in the cache."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ganjax.cli.parsing import choose, parse
from ganjax.system.errors import UserError

if TYPE_CHECKING:
    from ganjax.datasets.catalogue import DataSet
    from ganjax.datasets.downloaded import Kept

USAGE = """usage: ganjax data list|get|remove ...

Data sets of pictures, by name or address, for `ganjax train cartoon --data NAME|URL|PATH`.

  list     show the known data sets, and what of each is in the cache
  get      download a data set, or continue a download
  remove   remove a data set from the cache

examples:
  ganjax data list
  ganjax data get cartoonset10k
  ganjax data get https://example.org/faces.zip
  ganjax data remove cartoonset10k

ganjax data get --help shows the flags of an action. Proxies are taken from HTTPS_PROXY and NO_PROXY, the
cache folder from XDG_CACHE_HOME."""
WIDTH = 100  # columns of the list


@dataclasses.dataclass(frozen=True)
class List:
    """Show the known data sets: pictures, licence, source, size, labels, and what is in the cache.

    ganjax data list
    """

    cache_dir: str | None = None
    """Folder for downloads and prepared pictures, instead of the default one."""
    offline: bool = False
    """Has no effect: this command never uses the network."""


@dataclasses.dataclass(frozen=True)
class Get:
    """Download a data set into the cache and verify it. A download that was interrupted is continued.

    $ ganjax data get cartoonset10k
    $ ganjax data get https://example.org/faces.zip
    """

    data: Annotated[str, tyro.conf.Positional]
    """Name of a data set, or address of a .zip or .tar file of pictures."""
    cache_dir: str | None = None
    """Folder for downloads and prepared pictures, instead of the default one."""
    offline: bool = False
    """Do not use the network: only check whether it is in the cache."""
    allow_http: bool = False
    """Accept http:// addresses. They are not encrypted: others on the network can change the download."""


@dataclasses.dataclass(frozen=True)
class Remove:
    """Remove a data set from the cache: the download, the pictures prepared from it, and its pinned digest.

    ganjax data remove cartoonset10k
    """

    data: Annotated[str, tyro.conf.Positional]
    """Name of a data set, or address."""
    cache_dir: str | None = None
    """Folder for downloads and prepared pictures, instead of the default one."""


def run(words: Sequence[str]) -> int:
    """Run `ganjax data` with these words; returns the exit code."""
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else 2
    actions = {"list": (List, _list), "get": (Get, _get), "remove": (Remove, _remove)}
    form, action = actions[choose(words[0], actions, "action")]
    action(parse(form, words[1:], f"ganjax data {words[0]}"))
    return 0


def _list(asked: List) -> None:
    from ganjax.datasets.catalogue import CATALOGUE, DataSet
    from ganjax.datasets.downloaded import all_kept

    sets = list(CATALOGUE.values())
    known = {each.url for each in sets}
    sets += [DataSet(kept.url, url=kept.url) for kept in all_kept(asked.cache_dir) if kept.url not in known]
    print("\n\n".join(_described(each, asked.cache_dir) for each in sets))


def _get(asked: Get) -> None:
    from ganjax.datasets.downloaded import download
    from ganjax.datasets.sources import tell

    found = _set_of(asked.data)
    if found.url is None:
        print(f"{found.name}: rendered at first use, so there is nothing to download")
        return
    got = download(
        found.url,
        size=found.size,
        sha256=found.sha256,
        cache_dir=asked.cache_dir,
        offline=asked.offline,
        allow_http=asked.allow_http,
        say=tell,
    )
    print(f"{got.path}  {_bytes(got.size)}, sha256 {got.sha256} ({_basis(got.published)})")


def _remove(asked: Remove) -> None:
    from ganjax.datasets.cache import forget_prepared
    from ganjax.datasets.downloaded import forget
    from ganjax.system.files import cache_folder

    found = _set_of(asked.data)
    if found.url is None:
        size = forget_prepared(cache_folder(asked.cache_dir), found.name)
    else:
        size = forget(found.url, asked.cache_dir)
    print(f"removed {_bytes(size)}" if size else f"{found.name} is not in the cache")


def _set_of(word: str) -> DataSet:
    from ganjax.datasets.sources import find

    found = find(word)
    if isinstance(found, Path):
        raise UserError(f"{found} is a local path: only data sets with a name or address are in the cache")
    return found


def _described(found: DataSet, cache_dir: str | None) -> str:
    count = "any number" if found.name == "avatars" else _known(f"{found.count:,}" if found.count else None)
    facts = {
        "about": found.about,
        "pictures": count,
        "licence": _known(found.licence),
        "source": found.source,
        "address": found.url if found.url != found.name else None,
        "size": _size(found),
        "sha256": None if found.url is None else found.sha256 or "not published: pinned at first use",
        "labels": _known(None if found.labels is None else ", ".join(found.labels) or "none"),
        "note": found.note,
        "cached": _cached(found, cache_dir),
    }
    lines = [found.name]
    for name, fact in facts.items():
        if fact is not None:
            lines += textwrap.wrap(
                fact,
                WIDTH,
                initial_indent=f"  {name:<10}",
                subsequent_indent=" " * 12,
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def _size(found: DataSet) -> str | None:
    if found.url is None:
        return None
    if found.size is not None:
        return f"{_bytes(found.size)} ({found.size} bytes)"
    return _known(found.size_as_published and f"{found.size_as_published}, according to its source")


def _cached(found: DataSet, cache_dir: str | None) -> str:
    from ganjax.datasets.cache import prepared_sets
    from ganjax.datasets.downloaded import kept
    from ganjax.system.files import cache_folder

    if found.url is None:
        sets = [each for each in prepared_sets(cache_folder(cache_dir)) if each.name == found.name]
        return _prepared([(each.pixels, each.size) for each in sets]) or "nothing"
    here: Kept = kept(found.url, cache_dir)
    parts = []
    if here.download:
        got = here.download
        parts.append(f"archive {_bytes(got.size)}, sha256 {got.sha256} ({_basis(got.published)})")
    if here.part:
        parts.append(f"{_bytes(here.part)} of an interrupted download")
    if here.prepared:
        parts.append(_prepared(here.prepared))
    return "; ".join(parts) or "nothing"


def _prepared(sets: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"prepared at {pixels} px {_bytes(size)}" for pixels, size in sorted(sets))


def _basis(published: bool) -> str:
    return "as published" if published else "pinned at first use"


def _known(fact: str | None) -> str:
    return fact or "unknown"


def _bytes(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    units = ("kB", "MB", "GB", "TB")
    power = min((len(str(size)) - 1) // 3, len(units))
    return f"{size / 1000**power:.1f} {units[power - 1]}"
