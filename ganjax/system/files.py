"""Files that are written completely or not at all, and reproducibly; and the cache folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganjax.system.errors import UNFINISHED, UserError, naming

_NO_DATE = "1980-01-01@00:00:00"  # in Keras's format; a real date would make the bytes depend on the clock
_umask_lock = threading.Lock()


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the folder of `path`, with the same suffix, which replaces `path` after the block.

    If the block raises, `path` is unchanged and the temporary file is removed. The content is written to disk
    before the file gets its name, so that no crash can leave an empty file of that name.
    """
    path = Path(path)
    with naming(path):
        handle, name = tempfile.mkstemp(
            suffix=path.suffix, prefix=f"{UNFINISHED}{path.stem}-", dir=path.parent
        )
        os.close(handle)
    temporary = Path(name)
    try:
        with naming(path):
            yield temporary
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only the owner can read
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files and folders that a killed process left anywhere in `folder`."""
    for path in list(Path(folder).rglob(f"{UNFINISHED}*")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_zip(path: str | os.PathLike[str], members: Mapping[str, bytes], comment: bytes = b"") -> None:
    """Write a .zip file whose bytes depend only on `members` and `comment`, not on the clock or the umask."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.comment = comment
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # dated 1980, the first year in the format


def write_keras(path: Path, model: Any) -> None:
    """Write a Keras model to `path`, a `.keras` file, without the date that Keras adds.

    Raises:
        OSError: the folder of `path` cannot be written.
    """
    with (
        naming(path),
        tempfile.TemporaryDirectory(prefix=f"{UNFINISHED}model-", dir=path.parent) as temporary,
    ):
        with warnings.catch_warnings():
            # Keras's variables do not support NumPy 2's argument `copy` yet.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            model.save(temporary, zipped=False)
        files = sorted(file for file in Path(temporary).rglob("*") if file.is_file())
        members = {file.relative_to(temporary).as_posix(): file.read_bytes() for file in files}
    metadata = json.loads(members["metadata.json"]) | {"date_saved": _NO_DATE}
    write_zip(path, members | {"metadata.json": json.dumps(metadata).encode()})


def cache_folder(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder for prepared pictures, downloads and compiled programs; it is not created here.

    Args:
        cache_dir: by default the user's own cache (`$XDG_CACHE_HOME/ganjax`, usually `~/.cache/ganjax`).

    Raises:
        UserError: `cache_dir` begins with `~NAME` and there is no such user.
    """
    if cache_dir is not None:
        try:
            return Path(cache_dir).expanduser()
        except RuntimeError as error:
            raise UserError(
                f"no cache folder {os.fspath(cache_dir)} ({error}): choose another (--cache-dir)"
            ) from error
    from platformdirs import user_cache_path

    return user_cache_path("ganjax")


def _umask() -> int:
    # Reading it also sets it: two threads at once could leave it at 0.
    with _umask_lock:
        mask = os.umask(0)
        os.umask(mask)
        return mask
