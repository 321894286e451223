"""The cache of picture sets: each is built once, and checked whenever it is opened.

A cached set is a folder of three files: ``images.u8`` (the raw pictures, memory-mapped), ``labels.npy`` and
``set.json`` (schema, key, shape, digests of the others and of itself). It is written to a temporary folder,
which is then renamed: a reader sees a complete set or none, and two processes that need the same set at the
same time both get a valid one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganjax.datasets.images import ImageSet, fingerprint, shown
from ganjax.system.errors import UserError
from ganjax.system.files import cache_folder

SCHEMA = 2
DAY = 86_400  # seconds


@dataclass(frozen=True)
class Contents:
    """What a builder returns about the pictures that it wrote (see ImageSet)."""

    labels: dict[str, np.ndarray] = field(default_factory=dict)
    label_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


Write = Callable[[np.ndarray], None]


@dataclass(frozen=True)
class Prepared:
    """A cached set that has not been opened.

    Attributes:
        path: its folder.
        name: the set's name, as it is in the folder's name.
        pixels: height and width of its pictures.
        size: of all its files, in bytes.
    """

    path: Path
    name: str
    pixels: int
    size: int


def prepared_sets(root: Path) -> list[Prepared]:
    """The sets cached in `root`, in alphabetical order; they are not opened or checked."""
    found = []
    for path in sorted(root.glob("*px-*")):
        parts = re.fullmatch(r"(.+)-(\d+)px-[0-9a-f]{16}", path.name)
        if parts and path.is_dir():
            size = sum(file.stat().st_size for file in path.iterdir())
            found.append(Prepared(path, parts[1], int(parts[2]), size))
    return found


def forget_prepared(root: Path, name: str) -> int:
    """Remove the sets of this name from the cache folder `root`, and return their size in bytes.

    Raises:
        UserError: they cannot be removed.
    """
    sets = [each for each in prepared_sets(root) if each.name == name]
    try:
        for each in sets:
            shutil.rmtree(each.path)
    except OSError as error:
        raise UserError(f"cannot remove {shown(each.path)} ({error.strerror or error})") from error
    return sum(each.size for each in sets)


def cached(
    name: str,
    recipe: dict,
    size: int,
    build: Callable[[Write], Contents],
    cache_dir: str | os.PathLike[str] | None = None,
) -> ImageSet:
    """The set that ``recipe`` describes: opened if it is cached and undamaged, else built.

    Args:
        name: the set's name, with which its folder's name begins.
        recipe: everything that the pictures depend on, as JSON values.
        size: height and width of the pictures, in pixels.
        build: called with a function that writes the pictures, block by block, uint8 ``(k, size, size, 3)``;
            returns the rest of the set.
        cache_dir: see ``cache_folder``.

    Raises:
        UserError: the cache folder cannot be written, or the disk is full. No part of the set remains.
    """
    key = hashlib.sha256(json.dumps([SCHEMA, size, recipe], sort_keys=True).encode()).hexdigest()
    root = cache_folder(cache_dir)
    home = root / f"{name}-{size}px-{key[:16]}"
    found = _open(home, key)
    if found is not None:
        return found
    try:
        root.mkdir(parents=True, exist_ok=True)
        _forget_drafts(root)
        draft = Path(tempfile.mkdtemp(prefix=".making-", dir=root))
        try:
            _write(draft, name, key, size, build)
            return _publish(draft, home, key)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"cannot write the cache folder {shown(root)} ({error.strerror or error}): "
            "free space there, or choose another (--cache-dir)"
        ) from error


def _forget_drafts(root: Path) -> None:
    """Remove unfinished sets of killed processes: those that have not changed for a day."""
    for draft in root.glob(".making-*"):
        if draft.stat().st_mtime < time.time() - DAY:
            shutil.rmtree(draft, ignore_errors=True)


def _write(draft: Path, name: str, key: str, size: int, build: Callable[[Write], Contents]) -> None:
    with open(draft / "images.u8", "wb") as file:

        def write(block: np.ndarray) -> None:
            if block.dtype != np.uint8 or block.shape[1:] != (size, size, 3):
                raise ValueError(f"expected uint8 (k, {size}, {size}, 3), got {block.shape}")
            file.write(np.ascontiguousarray(block).data)

        contents = build(write)
        n = file.tell() // (size * size * 3)
    columns = [np.asarray(contents.labels[name], np.int32) for name in contents.label_names]
    np.save(draft / "labels.npy", np.stack(columns) if columns else np.zeros((0, n), np.int32))
    images = np.memmap(draft / "images.u8", np.uint8, "r", shape=(n, size, size, 3))
    about = {
        "schema": SCHEMA,
        "key": key,
        "name": name,
        "shape": list(images.shape),
        "fingerprint": fingerprint(images),
        "labels_sha256": _digest((draft / "labels.npy").read_bytes()),
        "label_names": contents.label_names,
        "skipped": contents.skipped,
    }
    text = json.dumps(about | {"sha256": _digest(_canonical(about))}, indent=1)
    (draft / "set.json").write_text(text, encoding="utf-8")


def _publish(draft: Path, home: Path, key: str) -> ImageSet:
    """Rename ``draft`` to ``home``, unless another process has written an undamaged set there."""
    refused: OSError | None = None
    for _ in range(8):
        try:
            os.rename(draft, home)
            break
        except OSError as error:
            refused = error
        found = _open(home, key)
        if found is not None:
            return found
        # The set there is damaged. A rename does not replace a folder, so that one is moved away first.
        aside = Path(tempfile.mkdtemp(prefix=".damaged-", dir=home.parent))
        try:
            os.rename(home, aside / "set")
        except FileNotFoundError:
            pass  # another process moved it away at the same moment
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    else:
        raise UserError(f"cannot replace the damaged cached set {shown(home)} ({refused}): remove the folder")
    found = _open(home, key)
    if found is None:
        raise OSError(f"the cached set {home} was not read back as it was written")
    return found


def _open(home: Path, key: str) -> ImageSet | None:
    """The set in ``home``; None if it is missing, damaged or of another recipe."""
    try:
        about = json.loads((home / "set.json").read_text(encoding="utf-8"))
        if about.pop("sha256") != _digest(_canonical(about)) or about["key"] != key:
            return None
        shape = tuple(about["shape"])
        if (home / "images.u8").stat().st_size != int(np.prod(shape)):
            return None
        images = np.memmap(home / "images.u8", np.uint8, "r", shape=shape)
        if fingerprint(images) != about["fingerprint"]:
            return None
        if _digest((home / "labels.npy").read_bytes()) != about["labels_sha256"]:
            return None
        label_names = {name: tuple(values) for name, values in about["label_names"].items()}
        columns = np.load(home / "labels.npy", allow_pickle=False)
        return ImageSet(
            images=images,
            labels=dict(zip(label_names, columns, strict=True)),
            label_names=label_names,
            fingerprint=about["fingerprint"],
            name=about["name"],
            skipped=tuple(about["skipped"]),
            path=home,
        )
    except Exception:  # whatever is wrong with it: it is built again
        return None


def _canonical(about: dict) -> bytes:
    return json.dumps(about, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
