"""Ranges of settings. Each is written once, in the annotation of its field, for checks, `--help` and tests.

ema_decay: Annotated[float, Range(0, 1, "[)")] = 0.999
"""

from __future__ import annotations

import dataclasses
import functools
import numbers
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from ganjax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Range:
    """An interval of numbers. NaN is in no interval.

    Attributes:
        least, most: the bounds.
        ends: which bounds belong to it, in mathematical notation: "[]" both, "[)" the lower, "(]" the upper.
    """

    least: float
    most: float
    ends: Literal["[]", "[)", "(]"] = "[]"

    def __contains__(self, value: Any) -> bool:
        above = self.least < value if self.ends[0] == "(" else self.least <= value
        below = value < self.most if self.ends[1] == ")" else value <= self.most
        return above and below

    def __str__(self) -> str:
        return f"{self.ends[0]}{self.least}, {self.most}{self.ends[1]}"


_MAX_STEPS = 2**31 - 1  # a state counts steps in 32 bits

Seed = Annotated[int, Range(0, 2**32 - 1)]  # JAX would silently take it modulo 2^32
Steps = Annotated[int, Range(1, _MAX_STEPS)]
StepsOrNever = Annotated[int, Range(0, _MAX_STEPS)]
Batch = Annotated[int, Range(1, 65_536)]
LearningRate = Annotated[float, Range(0, 1000, "(]")]  # more than can work: divergence can be studied
PenaltyWeight = Annotated[float, Range(0, 1_000_000)]
PositivePenaltyWeight = Annotated[float, Range(0, 1_000_000, "(]")]
Decay = Annotated[float, Range(0, 1, "[)")]


def range_of(kind: Any) -> Range | None:
    """The range in an annotation, if there is one."""
    ranges = [part for part in getattr(kind, "__metadata__", ()) if isinstance(part, Range)]
    return ranges[0] if ranges else None


def check_settings(settings: Any) -> None:
    """Raise UserError, with flag and range, if a field of the dataclass `settings` is out of its range.

    This checks fields with a `Range` (None is valid if the field may be None) and with `Literal` choices.
    """
    for name, kind in _kinds(type(settings)).items():
        value = getattr(settings, name)
        if not _fits(value, kind):
            raise UserError(f"--{name.replace('_', '-')} must be {_wanted(kind)}, got {value!r}")


@functools.cache
def _kinds(form: type) -> dict[str, Any]:
    hints = get_type_hints(form, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(form)}


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    allowed = range_of(kind)
    if allowed is None or (value is None and NoneType in _plain(kind)):
        return True
    number = numbers.Integral if int in _plain(kind) else numbers.Real
    return isinstance(value, number) and value in allowed


def _wanted(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    return f"a {'whole ' if int in _plain(kind) else ''}number in {range_of(kind)}"


def _plain(kind: Any) -> tuple[type, ...]:
    """`(int, NoneType)` of `Annotated[int | None, Range(...)]`."""
    inner = get_args(kind)[0]
    return get_args(inner) or (inner,)
