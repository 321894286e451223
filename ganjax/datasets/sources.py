"""`--data NAME|URL|PATH`: from a word to the pictures it means."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import sys
from pathlib import Path

from ganjax.datasets.catalogue import CATALOGUE, DataSet
from ganjax.datasets.images import ImageSet, shown
from ganjax.errors import UserError

AVATARS = "avatars"


def load(
    data: str | None,
    size: int,
    *,
    images: int = 8192,
    cache_dir: str | os.PathLike | None = None,
    progress: bool = True,
    offline: bool = False,
) -> ImageSet:
    """The pictures that `data` means, `size` pixels high and wide.

    Args:
        data: see `find`.
        images: how many faces to render, for "avatars" alone.
        cache_dir: see `cache_folder`.
        progress: show bars (on a terminal only), and say what is to be known of a download.
        offline: open no connection: what is downloaded must be in the cache.

    Raises:
        UserError: there is nothing of that name, or it cannot be had or read (see `download` and
            `load_images`).
        ValueError: `size` is not positive.
    """
    found = find(data)
    if isinstance(found, Path):
        from ganjax.datasets.folders import load_images

        return load_images(found, size, cache_dir=cache_dir, progress=progress)
    if found.url is None:
        from ganjax.datasets.avatars import load_avatars

        return load_avatars(images, size, cache_dir=cache_dir, progress=progress)
    if progress and os.path.exists(found.name):
        tell(f"{found.name} is taken for the set of that name: for what lies here, write ./{found.name}")
    return _load_download(found, size, cache_dir, progress, offline)


def find(data: str | None) -> DataSet | Path:
    """What `data` means: a set, which has no URL if it is made here, or a folder or archive.

    A name of the catalogue is that set, whatever else lies here under that name: ./NAME is a path. With ://
    it is the address of an archive. All else is a path. None is the default set, "avatars".

    Raises:
        UserError: it is a single word, and neither a name nor a path that exists.
    """
    word = AVATARS if data is None else data
    if word in CATALOGUE:
        return CATALOGUE[word]
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", word):
        return DataSet(name=word, url=word)
    is_word = not re.search(r"[/\\~]", word)
    if is_word and not os.path.lexists(word):
        near = difflib.get_close_matches(word.lower(), CATALOGUE, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise UserError(
            f"no such folder or archive: {shown(word)}, nor a set of that name{hint}; give a folder, .zip or "
            ".tar of pictures, the https:// address of one, or a name of `ganjax data list`"
        )
    return Path(word)


def tell(line: str) -> None:
    """Print a line to standard error."""
    print(line, file=sys.stderr, flush=True)


def _load_download(
    found: DataSet, size: int, cache_dir: str | os.PathLike | None, progress: bool, offline: bool
) -> ImageSet:
    from ganjax.datasets.downloaded import download
    from ganjax.datasets.folders import load_images

    assert found.url is not None
    archive = download(
        found.url,
        size=found.size,
        sha256=found.sha256,
        cache_dir=cache_dir,
        offline=offline,
        progress=progress,
        say=tell if progress else lambda line: None,
    )
    # Beside the archive: what belongs to an address is found, and removed, in one place.
    pictures = load_images(archive.path, size, cache_dir=archive.path.parent, progress=progress)
    return dataclasses.replace(pictures, origin={"url": archive.url, "sha256": archive.sha256})
