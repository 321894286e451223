"""`ganjax data`: which sets of pictures there are by name, and what of them is here."""

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

Sets of pictures by name or address, for `ganjax train cartoon --data NAME|URL|PATH`.

  list     what there is by name, and what of it is in the cache
  get      download a set now, or go on with a download
  remove   remove a set from the cache

examples:
  ganjax data list
  ganjax data get cartoonset10k
  ganjax data get https://example.org/faces.zip
  ganjax data remove cartoonset10k

ganjax data get --help shows the flags of one. Proxies are taken from HTTPS_PROXY and NO_PROXY, the place of
the cache from XDG_CACHE_HOME."""
WIDTH = 100  # columns of what is listed


@dataclasses.dataclass(frozen=True)
class List:
    """Sets by name: pictures, licence, source, size, labels, and what of each is in the cache.

    ganjax data list
    """

    cache_dir: str | None = None
    """Folder for downloads and prepared pictures, if it is not the default one."""
    offline: bool = False
    """Makes no difference: nothing is ever asked of the network to list what there is."""


@dataclasses.dataclass(frozen=True)
class Get:
    """Download a set, check it, and keep it. A download that was stopped goes on where it was.

    $ ganjax data get cartoonset10k
    $ ganjax data get https://example.org/faces.zip
    """

    data: Annotated[str, tyro.conf.Positional]
    """Name of a set, or address of a .zip or .tar of pictures."""
    cache_dir: str | None = None
    """Folder for downloads and prepared pictures, if it is not the default one."""
    offline: bool = False
    """Open no connection: only say whether it is here."""
    allow_http: bool = False
    """Accept addresses that are not encrypted: anybody on the way can change what comes."""


@dataclasses.dataclass(frozen=True)
class Remove:
    """Remove from the cache what was downloaded of a set, pictures prepared from it, and its pinned digest.

    ganjax data remove cartoonset10k
    """

    data: Annotated[str, tyro.conf.Positional]
    """Name of a set, or address."""
    cache_dir: str | None = None
    """Folder for downloads and prepared pictures, if it is not the default one."""


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
        print(f"{found.name} are rendered when they are first used: there is nothing to download")
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
    print(f"removed {_bytes(size)}" if size else f"nothing of {found.name} is in the cache")


def _set_of(word: str) -> DataSet:
    from ganjax.datasets.sources import find

    found = find(word)
    if isinstance(found, Path):
        raise UserError(f"{found} is a path: it is used where it lies, and only names and addresses are kept")
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
        "sha256": None if found.url is None else found.sha256 or "not published: pinned on first use",
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
    return _known(found.size_as_published and f"{found.size_as_published}, as its source says")


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
        parts.append(f"{_bytes(here.part)} of a download that was stopped")
    if here.prepared:
        parts.append(_prepared(here.prepared))
    return "; ".join(parts) or "nothing"


def _prepared(sets: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"prepared at {pixels} px {_bytes(size)}" for pixels, size in sorted(sets))


def _basis(published: bool) -> str:
    return "as published" if published else "pinned on first use"


def _known(fact: str | None) -> str:
    return fact or "not known"


def _bytes(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    units = ("kB", "MB", "GB", "TB")
    power = min((len(str(size)) - 1) // 3, len(units))
    return f"{size / 1000**power:.1f} {units[power - 1]}"
