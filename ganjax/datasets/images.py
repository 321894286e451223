"""A set of real pictures, whatever they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Square colour pictures of one size, with whatever is known about each.

    Attributes:
        images: uint8 ``(n, size, size, 3)``, RGB in 0..255; usually a read-only memory map.
        labels: attribute -> int32 ``(n,)``; empty where nothing is known.
        label_names: attribute -> names of its values, indexed by the label.
        fingerprint: SHA-256 (hexadecimal) of the pictures' shape and contents.
        name: what the set is called in manifests and messages.
        skipped: names of the files that could not be used, each with the reason.
        path: the folder it is cached in, or None when it lives in memory only.
        origin: where it was downloaded: ``url``, and ``sha256`` of the archive; empty for other sets.
    """

    images: np.ndarray
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    label_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fingerprint: str = ""
    name: str = ""
    skipped: tuple[str, ...] = ()
    path: Path | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Height and width of every picture, in pixels."""
        return self.images.shape[1]


def fingerprint(images: np.ndarray) -> str:
    """SHA-256 (hexadecimal) of the shape and the contents of ``images``, uint8 (n, ...)."""
    digest = hashlib.sha256(repr(tuple(images.shape)).encode())
    digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()
