"""From words on the command line to a dataclass, with mistakes said in one line."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from ganjax.errors import UserError

T = TypeVar("T")

_OPTIONAL = ConstructorRegistry()


@_OPTIONAL.primitive_rule
def _optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """`--data STR`, not `--data {None}|STR`: who wants None leaves the flag out."""
    kinds = {str | None: str, Path | None: Path}
    if info.type not in kinds:
        return None
    kind = kinds[info.type]
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH" if kind is Path else "STR",
        instance_from_str=lambda words: kind(words[0]),
        is_instance=lambda value: value is None or isinstance(value, kind),
        str_from_instance=lambda value: ["none" if value is None else str(value)],
    )


def parse(form: type[T], words: Sequence[str], prog: str, description: str | None = None) -> T:
    """`form` filled from `words`; prints help and exits 0 where that is asked for.

    Args:
        form: a dataclass: its fields are the flags, their docstrings the flags' help.
        words: what stands on the command line after `prog`.
        prog: the command, for the usage line.
        description: the help's first lines; by default the docstring of `form`, examples included.

    Raises:
        UserError: the words do not fit.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                form,
                prog=prog,
                description=inspect.getdoc(form) if description is None else description,
                args=list(words),
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
                registry=_OPTIONAL,
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
    near = lines[lines.index("Perhaps you meant:") + 1] if "Perhaps you meant:" in lines else ""
    hint = f"; perhaps you meant {near}" if near else ""
    return " ".join(texts).rstrip(".") + hint
