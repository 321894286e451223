"""`--data NAME|URL|PATH`: the pictures of that name, address or path."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import sys
from pathlib import Path

from ganjax.datasets.catalogue import CATALOGUE, DataSet
from ganjax.datasets.images import ImageSet, shown
from ganjax.system.errors import UserError

AVATARS = "avatars"


def load(
    data: str | None,
    size: int,
    *,
    images: int = 8192,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
    offline: bool = False,
) -> ImageSet:
    """The pictures of the set `data`, `size` pixels high and wide.

    Args:
        data: a name, address or path; see `find`.
        images: how many faces to render; only for "avatars".
        cache_dir: see `cache_folder`.
        progress: show progress bars (on a terminal only), and messages about a download.
        offline: open no connection: a download must be in the cache.

    Raises:
        UserError: there is no such set, or it cannot be downloaded or read (see `download` and
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
        tell(f"using the set named {found.name}: for the file or folder of that name, write ./{found.name}")
    return _load_download(found, size, cache_dir, progress, offline)


def find(data: str | None) -> DataSet | Path:
    """The set that `data` refers to (without a URL if it is rendered), or the path of a folder or archive.

    A name in the catalogue is that set, even if there is a file of that name (./NAME is a path). A word with
    :// is the address of an archive. Everything else is a path. None is the default set, "avatars".

    Raises:
        UserError: it is a single word that is not a name in the catalogue, and no such file exists.
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
            f"no such folder or archive: {shown(word)}, and no set of that name{hint}; give a folder, .zip "
            "or .tar of pictures, the https:// address of one, or a name from `ganjax data list`"
        )
    return Path(word)


def tell(line: str) -> None:
    """Print a line to standard error."""
    print(line, file=sys.stderr, flush=True)


def _load_download(
    found: DataSet, size: int, cache_dir: str | os.PathLike[str] | None, progress: bool, offline: bool
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
    # In the archive's folder: everything from one address is in one place, and removed with it.
    pictures = load_images(archive.path, size, cache_dir=archive.path.parent, progress=progress)
    return dataclasses.replace(pictures, origin={"url": archive.url, "sha256": archive.sha256})
