"""JAX's persistent compilation cache: a program switches it on, importing this module changes nothing."""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import warnings
import zlib
from pathlib import Path
from typing import Any

from ganjax.system.files import cache_folder
from ganjax.system.process import processor

LARGEST = 500_000_000  # bytes: when a run finds more in the cache, it removes the oldest programs
_SHORTEST = 0.1  # seconds: programs that compile faster are not stored
ZLIB = b"\x78"  # first byte of the files that JAX compresses with zlib


def keep_compilations(folder: Path | None = None) -> bool:
    """Let JAX store compiled programs in `folder`, and read those that an earlier process stored.

    Each kind of processor has its own subfolder, since machines may share a home folder. Whoever can write to
    the folder decides what code this process runs, so it is used only if it belongs to this user alone. The
    user's own settings have priority: `JAX_COMPILATION_CACHE_DIR` names another folder (whose size is not
    limited here), `JAX_ENABLE_COMPILATION_CACHE=false` switches the cache off.

    Args:
        folder: by default `compiled` in the user's cache folder.

    Returns:
        Whether `folder` is used. It is not if the user has set one of these variables, if the folder cannot
        be written, or if other users can write to it.
    """
    import jax

    folder = folder or cache_folder() / "compiled"
    config: Any = jax.config
    if config.jax_compilation_cache_dir or not config.jax_enable_compilation_cache:
        return False
    home = folder / _processor()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        _remove_damaged(home)
        _remove_oldest(folder, LARGEST)
        usable = _is_private(folder) and _is_private(home)
    except OSError:
        return False
    if not usable:
        return False
    # If a file cannot be read or written, the program is compiled again: no reason for a warning.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
    config.update("jax_compilation_cache_dir", str(home))
    config.update("jax_persistent_cache_min_compile_time_secs", _SHORTEST)
    return True


def _remove_damaged(home: Path) -> None:
    """Remove files that a full disk or a killed process left incomplete: JAX would never replace them.

    Only files written since the last check are read: reading all of them would take seconds.
    """
    checked = home / "looked"
    since = checked.stat().st_mtime_ns if checked.exists() else 0
    checked.touch()
    for file in home.glob("*-cache"):
        if file.stat().st_mtime_ns < since:
            continue
        content = file.read_bytes()
        try:
            # If the package zstandard is installed, JAX writes another format, which only JAX can check.
            sound = bool(content) and (content[:1] != ZLIB or bool(zlib.decompress(content)))
        except zlib.error:
            sound = False
        if not sound:
            file.unlink(missing_ok=True)


def _remove_oldest(folder: Path, most: int) -> None:
    files = [(file, file.stat()) for file in folder.rglob("*") if file.is_file()]
    size = sum(status.st_size for _, status in files)
    for file, status in sorted(files, key=lambda pair: pair[1].st_mtime):
        if size <= most:
            break
        file.unlink(missing_ok=True)
        size -= status.st_size


def _is_private(folder: Path) -> bool:
    """Whether this user owns the folder and can write to it, and it is not writable by everybody."""
    status = folder.stat()
    alone = not status.st_mode & stat.S_IWOTH
    if hasattr(os, "geteuid"):  # not on Windows
        alone = alone and status.st_uid == os.geteuid()
    return alone and os.access(folder, os.W_OK)


def _processor() -> str:
    """A name for this kind of processor: compiled programs contain its instructions."""
    name, flags = processor()
    return hashlib.sha256(" ".join([platform.machine(), name, *sorted(flags)]).encode()).hexdigest()[:16]
