"""From words on the command line to a dataclass, with mistakes said in one line."""

from __future__ import annotations

import contextlib
import difflib
import io
from collections.abc import Iterable, Sequence
from typing import TypeVar

import tyro

from ganjax.errors import UserError

T = TypeVar("T")


def parse(form: type[T], words: Sequence[str], prog: str, description: str) -> T:
    """`form` filled from `words`; prints help and exits 0 where that is asked for.

    Raises:
        UserError: the words do not fit.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                form,
                prog=prog,
                description=description,
                args=list(words),
                config=(tyro.conf.OmitArgPrefixes,),
            )
    except SystemExit as end:
        if end.code in (0, None):
            raise
        raise UserError(f"{_one_line(said.getvalue())} (see {prog} --help)") from None


def choose(word: str, names: Iterable[str], what: str) -> str:
    """`word` if it is one of `names`.

    Raises:
        UserError: it is not; names the nearest one, or all.
    """
    names = list(names)
    if word in names:
        return word
    near = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"
    raise UserError(f"there is no {what} {word!r}: {hint}")


def _one_line(box: str) -> str:
    # tyro frames what it says: a title, the reason, a rule, hints, a pointer to the help.
    lines = [line.strip("│╭╮╰╯ ") for line in box.splitlines()]
    rules = [i for i, line in enumerate(lines) if line and not line.strip("─")]
    texts = [line for line in lines[1 : rules[0] if rules else None] if line.strip("─")]
    if "Perhaps you meant:" in lines:
        texts.append(f"perhaps you meant {lines[lines.index('Perhaps you meant:') + 1]}")
    return "; ".join(text.rstrip(".") for text in texts)
