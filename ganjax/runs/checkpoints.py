"""Checkpoints: one file with a whole state and what its run had written by then; damage is detected.

A checkpoint is a .zip file of arrays in NumPy's format, named by the paths of `state_to_arrays`, and of
`record.json` (`np.load` and `unzip` can read it too). The zip comment is a SHA-256 of all members. The same
state of the same run gives the same bytes: the file holds no date and no host name.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganjax.system.errors import DamagedError
from ganjax.system.files import write_zip

RECORD = "record.json"
WITNESSES = "witnesses"

# What zipfile raises for a file that is not a zip archive, or is damaged.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, KeyError, RuntimeError)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A state as plain arrays, and a record of its run.

    Attributes:
        arrays: by path, as `state_to_arrays` gives them.
        record: JSON values: which run, at which step, what it has written (`ganjax.runs.record`).
        witnesses: by step, float32 `(leaves, values)`: a few values of each array at that step
            (`ganjax.runs.digests`).
    """

    arrays: Mapping[str, np.ndarray]
    record: Mapping[str, Any]
    witnesses: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict)


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path` atomically.

    Raises:
        OSError: it cannot be written; a previous file is unchanged.
    """
    members = {f"{name}.npy": _npy(array) for name, array in checkpoint.arrays.items()}
    members |= {f"{WITNESSES}/{step}.npy": _npy(array) for step, array in checkpoint.witnesses.items()}
    members[RECORD] = json.dumps(checkpoint.record, indent=1).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_zip(path, members, comment=_seal(members))


def read(path: Path) -> Checkpoint:
    """The checkpoint in `path`.

    Raises:
        DamagedError: the file was changed after it was written, or it is not a checkpoint.
        OSError: it cannot be read.
    """
    members, seal = _members(path)
    if seal != _seal(members):
        raise DamagedError(f"{path} is damaged: its SHA-256 is not that of its content")
    try:
        record = json.loads(members.pop(RECORD))
        arrays = {name.removesuffix(".npy"): _array(content) for name, content in members.items()}
        steps = {name: int(name.split("/")[1]) for name in arrays if name.startswith(f"{WITNESSES}/")}
        witnesses = {step: arrays.pop(name) for name, step in steps.items()}
    except Exception as error:  # NumPy raises many kinds of error for a forged array header
        raise DamagedError(f"{path} is not a checkpoint of ganjax: {error}") from error
    if not isinstance(record, dict):
        raise DamagedError(f"{path} is not a checkpoint of ganjax: its record is not a JSON object")
    return Checkpoint(arrays, record, witnesses)


def read_record(path: Path) -> dict[str, Any]:
    """The record of the checkpoint in `path`, without its arrays.

    Raises:
        DamagedError, OSError: see `read`. Damage elsewhere in the file goes unnoticed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(RECORD))
    except DAMAGE as error:
        raise DamagedError(f"{path} is not a checkpoint of ganjax: {error}") from error


def _members(path: Path) -> tuple[dict[str, bytes], bytes]:
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                # A small compressed file could fill any amount of memory.
                raise ValueError("it is compressed, and checkpoints never are")
            return {name: archive.read(name) for name in archive.namelist()}, archive.comment
    except DAMAGE as error:
        raise DamagedError(f"{path} is damaged: {error}") from error


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content), allow_pickle=False)


def _seal(members: Mapping[str, bytes]) -> bytes:
    digest = hashlib.sha256()
    for name, content in members.items():
        digest.update(f"{name} {len(content)} ".encode())
        digest.update(content)
    return f"sha256:{digest.hexdigest()}".encode()
