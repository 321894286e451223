"""Where `--out` leads: what cannot be written there is the user's to mend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ganjax.errors import UserError


@contextlib.contextmanager
def writing(out: Path) -> Iterator[None]:
    """A block that writes to `out`.

    Raises:
        UserError: something in the block could not be written (a file where a folder is wanted, a full disk).
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write to {out}: {reason}; choose another --out") from error
