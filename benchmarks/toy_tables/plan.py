"""The groups of runs in a table: recipes, or values of their settings, on landscapes, with their steps."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from ganjax.cli.parsing import choose, parse
from ganjax.experiments import EXPERIMENTS, LANDSCAPES, Experiment
from ganjax.system.errors import UserError

PROG = "python -m benchmarks toy-tables"
OURS = "ours"
PERFECT = "perfect sampler"
QUICK = {
    "pacgan1": Fraction(1, 100),
    "pacgan2": Fraction(1, 100),
    "pacgan4": Fraction(1, 100),
    "wgan-gp": Fraction(1, 200),
    "lsgan": Fraction(1),
    "hinge-sn": Fraction(1, 50),
    "r1": Fraction(1, 50),
    "unrolled": Fraction(1, 5),
    "r3gan": Fraction(1, 200),
}
"""The part of its published steps that each recipe is trained for with `quick`: at most about a minute."""
_NOT_TRAINING = ("seed", "log_every", "picture_every")  # settings that do not belong to a group


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that differ only in their seed.

    Attributes:
        recipe: the name of a published one, `OURS` or `PERFECT`.
        title: its name in the table: the recipe, or the settings that are varied.
        landscape: name of the experiment whose distribution is the real one.
        experiment: name of the experiment that is trained; None for the perfect sampler.
        settings: of that experiment, without the seed.
        published: number of steps of a published recipe; the runs may have fewer.
    """

    recipe: str
    title: str
    landscape: str
    experiment: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    published: int | None = None

    def identity(self, seed: int, samples: int, together: int) -> str:
        """A text that identifies a run: with the same machine and versions, equal ones have equal results."""
        parts = {
            "experiment": self.experiment,
            "settings": dict(self.settings),
            "landscape": self.landscape,
            "seed": seed,
            "samples": samples,
            "together": together,
        }
        return json.dumps(parts, sort_keys=True)


def recipes() -> dict[str, type[Experiment]]:
    """The published recipes: experiments with a setting for the landscape."""
    return {
        name: kind
        for name, kind in EXPERIMENTS.items()
        if "landscape" in {field.name for field in dataclasses.fields(kind)}
    }


def plan(
    names: Sequence[str],
    on: Sequence[str],
    steps: str,
    vary: Sequence[Sequence[str]] = (),
) -> list[Group]:
    """The groups of a table, landscape by landscape, with the perfect sampler first.

    Args:
        names: of recipes; none for all, or with `vary` for ours.
        on: names of landscapes.
        steps: "published", "quick", a number of steps for every recipe, or a fraction of the published steps.
            Our own recipe is trained for all its steps unless a number is given.
        vary: fields of the experiment, each followed by its values; every combination becomes a group.

    Raises:
        UserError: there is no such recipe, landscape or field, or a value is wrong.
    """
    known = [*recipes(), OURS]
    names = [choose(name, known, "recipe") for name in names] or ([OURS] if vary else known)
    if vary and len(names) > 1:
        raise UserError(f"--vary is for one recipe: give --recipes one of {', '.join(names)}")
    on = [choose(name, LANDSCAPES, "landscape") for name in on]
    groups = []
    for landscape in dict.fromkeys(on):
        groups.append(Group(PERFECT, PERFECT, landscape))
        for name in dict.fromkeys(names):
            groups += [_group(name, landscape, steps, each) for each in _combinations(vary)]
    return groups


def _combinations(vary: Sequence[Sequence[str]]) -> Iterator[dict[str, str]]:
    for field, *values in vary:
        if not values:
            raise UserError(f"--vary {field} needs values after it, as in --vary penalty .01 .1 1")
    fields = [field.replace("-", "_") for field, *_ in vary]
    for chosen in itertools.product(*(values for _, *values in vary)):
        yield dict(zip(fields, chosen, strict=True))


def _group(recipe: str, landscape: str, steps: str, varied: Mapping[str, str]) -> Group:
    ours = recipe == OURS
    kind = EXPERIMENTS[landscape if ours else recipe]
    whole: int = {field.name: field.default for field in dataclasses.fields(kind)}["steps"]  # type: ignore[assignment]
    count = _steps(steps, whole, recipe)
    words = {"steps": str(count), **({} if ours else {"landscape": landscape}), **varied}
    for field in words:
        choose(field, [field.name for field in dataclasses.fields(kind)], f"setting of {kind.name}")
    experiment = parse(kind, [f"--{name.replace('_', '-')}={word}" for name, word in words.items()], PROG)
    settings = {
        field.name: getattr(experiment, field.name)
        for field in dataclasses.fields(kind)
        if field.name not in _NOT_TRAINING
    }
    title = ", ".join(f"{name} {settings[name]}" for name in varied) or recipe
    return Group(recipe, title, landscape, kind.name, settings, None if ours else whole)


def _steps(text: str, whole: int, recipe: str) -> int:
    if text == "published":
        return whole
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    part = QUICK.get(recipe, Fraction(1)) if text == "quick" else _fraction(text)
    return whole if recipe == OURS else max(1, round(whole * part))


def _fraction(text: str) -> Fraction:
    try:
        part = Fraction(text)
    except (ValueError, ZeroDivisionError):
        part = Fraction(0)
    if not 0 < part <= 1:
        raise UserError(
            f"--steps is published, quick, a whole number of steps, or a fraction as in 1/40, not {text!r}"
        )
    return part
