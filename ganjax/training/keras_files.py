"""Keras models as files: equal models are equal bytes, and none is ever half-written."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

from ganjax.files import UNFINISHED, naming, write_zip

_NO_DATE = "1980-01-01@00:00:00"  # in the form Keras reads; when a model was written is for others to say


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
            # Keras's variables do not know NumPy 2's argument `copy` yet.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            model.save(temporary, zipped=False)
        files = sorted(file for file in Path(temporary).rglob("*") if file.is_file())
        members = {file.relative_to(temporary).as_posix(): file.read_bytes() for file in files}
    metadata = json.loads(members["metadata.json"]) | {"date_saved": _NO_DATE}
    write_zip(path, members | {"metadata.json": json.dumps(metadata).encode()})
