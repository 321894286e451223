"""Compiled programs kept from run to run: a program's business, so nothing here happens at import."""

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

LARGEST = 500_000_000  # bytes of kept programs, about: the oldest go when a run finds more
_SHORTEST = 0.1  # seconds of compiling that are worth a file
ZLIB = b"\x78"  # how a compressed file of JAX's begins


def keep_compilations(folder: Path | None = None) -> bool:
    """Let JAX read what it has compiled before from `folder`, and write there what it compiles now.

    Programs of another kind of processor lie in a folder of their own, since a home folder may be shared.
    Whoever can write there decides what this process runs, so only a folder of the user's own is used. A
    choice of the user's own stands: `JAX_COMPILATION_CACHE_DIR` names another folder (whose size is the
    user's business), `JAX_ENABLE_COMPILATION_CACHE=false` switches keeping off.

    Args:
        folder: by default `compiled` in the user's cache folder.

    Returns:
        Whether programs are kept there: not where the user chose otherwise, nor in a folder that cannot be
        written, or that others can write.
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
        _forget_the_damaged(home)
        _forget_the_oldest(folder, LARGEST)
        usable = _is_ours_alone(folder) and _is_ours_alone(home)
    except OSError:
        return False
    if not usable:
        return False
    # A file that cannot be read or written costs the time of compiling, and nothing else.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
    config.update("jax_compilation_cache_dir", str(home))
    config.update("jax_persistent_cache_min_compile_time_secs", _SHORTEST)
    return True


def _forget_the_damaged(home: Path) -> None:
    """Remove what a full disk or a killed process has left half-written: JAX would never write it again.

    Looked at is only what was written since the last look: reading everything would cost seconds.
    """
    looked = home / "looked"
    since = looked.stat().st_mtime_ns if looked.exists() else 0
    looked.touch()
    for file in home.glob("*-cache"):
        if file.stat().st_mtime_ns < since:
            continue
        content = file.read_bytes()
        try:
            # Where the package zstandard is installed, JAX writes another format: only JAX can check it.
            sound = bool(content) and (content[:1] != ZLIB or bool(zlib.decompress(content)))
        except zlib.error:
            sound = False
        if not sound:
            file.unlink(missing_ok=True)


def _forget_the_oldest(folder: Path, most: int) -> None:
    files = [(file, file.stat()) for file in folder.rglob("*") if file.is_file()]
    size = sum(status.st_size for _, status in files)
    for file, status in sorted(files, key=lambda pair: pair[1].st_mtime):
        if size <= most:
            break
        file.unlink(missing_ok=True)
        size -= status.st_size


def _is_ours_alone(folder: Path) -> bool:
    """Whether this user can write to the folder, owns it, and has not opened it to everybody."""
    status = folder.stat()
    alone = not status.st_mode & stat.S_IWOTH
    if hasattr(os, "geteuid"):  # Windows knows no such owners
        alone = alone and status.st_uid == os.geteuid()
    return alone and os.access(folder, os.W_OK)


def _processor() -> str:
    """A name for this kind of processor: programs hold its instructions."""
    name, flags = processor()
    return hashlib.sha256(" ".join([platform.machine(), name, *sorted(flags)]).encode()).hexdigest()[:16]
