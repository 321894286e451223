"""Parses the command line into a dataclass; mistakes are reported in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import inspect
import io
import itertools
import os
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructTypeInfo,
)

from ganjax.experiments.ranges import range_of
from ganjax.system.errors import UserError

T = TypeVar("T")

NARROW = 60  # columns: tyro's frames and columns need at least this wide a terminal

_RULES = ConstructorRegistry()


@_RULES.primitive_rule
def _optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """Show `--data STR`, not `--data {None}|STR`: for None, the flag is left out."""
    kinds = {str | None: str, Path | None: Path, int | None: int, float | None: float}
    if info.type not in kinds:
        return None
    kind = kinds[info.type]
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar={str: "STR", Path: "PATH", int: "INT", float: "FLOAT"}[kind],
        instance_from_str=lambda words: kind(words[0]),
        is_instance=lambda value: value is None or isinstance(value, kind),
        str_from_instance=lambda value: ["none" if value is None else str(value)],
    )


@_RULES.struct_rule
def _with_ranges(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Show a number's range after its default: `(default: 0.999; in [0, 1))`."""
    if not dataclasses.is_dataclass(info.type) or _with_ranges in info.markers:
        return None
    plain: Any = ConstructorRegistry.get_struct_spec(
        dataclasses.replace(info, markers=(*info.markers, _with_ranges))
    )
    fields = (dataclasses.replace(field, type=_with_range(field.type)) for field in plain.fields)
    return dataclasses.replace(plain, fields=tuple(fields))


def _with_range(kind: Any) -> Any:
    allowed = range_of(kind)
    if allowed is None:
        return kind
    return Annotated[
        kind, tyro.conf.arg(help_behavior_hint=lambda default: f"(default: {default}; in {allowed})")
    ]


def parse(form: type[T], words: Sequence[str], prog: str, description: str | None = None) -> T:
    """An instance of `form` from command-line arguments; for `--help`, prints help and exits with 0.

    Args:
        form: a dataclass: its fields are the flags, and their docstrings the help.
        words: the arguments after `prog`.
        prog: the command, for the usage line.
        description: the first lines of the help; by default the docstring of `form`, with its examples.

    Raises:
        UserError: the arguments are not valid.
    """
    columns = shutil.get_terminal_size().columns
    wants_help, said = not {"-h", "--help"}.isdisjoint(words), io.StringIO()
    # In a wide terminal, help is shown as tyro formats it; everything else is reworded below.
    captured = contextlib.nullcontext() if wants_help and columns >= NARROW else _captured(said)
    try:
        with captured:
            return tyro.cli(
                form,
                prog=prog,
                description=inspect.getdoc(form) if description is None else description,
                args=list(words),
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
                registry=_RULES,
            )
    except SystemExit as end:
        if end.code in (0, None):
            print(_unframed(said.getvalue(), columns), end="")
            raise
        raise UserError(f"{_one_line(said.getvalue())} (see {prog} --help)") from None


def choose(word: str, names: Iterable[str], what: str) -> str:
    """`word` if it is one of `names`.

    Raises:
        UserError: it is not; the message names the most similar one, or all.
    """
    names = list(names)
    if word in names:
        return word
    near = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"
    raise UserError(f"there is no {what} {word!r}: {hint}")


@contextlib.contextmanager
def _captured(said: io.StringIO) -> Iterator[None]:
    """Redirect what tyro prints to `said`, without line breaks: it takes the width from COLUMNS."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "1000"
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def _unframed(help: str, columns: int) -> str:
    """Help for a narrow terminal: each flag unbroken on its own line, above its description."""
    lines = []
    for line in help.splitlines():
        head, *words = re.split(" {2,}", line.strip())
        if not _is_rule(head):
            below = "  " if line.startswith("   ") else ""
            for text, indent in ((head, below), *((word, "  ") for word in words)):
                lines += textwrap.wrap(
                    text,
                    columns,
                    initial_indent=indent,
                    subsequent_indent=indent,
                    break_long_words=False,
                    break_on_hyphens=False,
                ) or [""]
    return "".join(f"{line}\n" for line in lines)


def _one_line(box: str) -> str:
    # tyro prints a frame with a title, the reason, a horizontal rule, hints, and how to get help.
    lines = [stripped for line in box.splitlines() if (stripped := line.strip("│╭╮╰╯ "))]
    reason = itertools.takewhile(lambda line: not _is_rule(line), itertools.dropwhile(_is_rule, lines[1:]))
    near = lines[lines.index("Perhaps you meant:") + 1] if "Perhaps you meant:" in lines else ""
    hint = f"; perhaps you meant {near}" if near else ""
    return " ".join(reason).rstrip(".") + hint


def _is_rule(line: str) -> bool:
    return bool(line) and not line.strip("-─")
