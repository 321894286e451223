"""What a table of toy runs holds: recipes, or values of their settings, on landscapes, and their steps."""

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
"""The part of its published steps that `quick` gives each recipe: about a minute of a CPU core, at most."""
_NOT_TRAINING = ("seed", "log_every", "picture_every")  # settings that change nothing of a group's training


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that differ by their seed alone.

    Attributes:
        recipe: a published one's name, `OURS` or `PERFECT`.
        title: how the table calls it: the recipe, or the settings that are varied.
        landscape: name of the experiment that says what is real.
        experiment: name of the experiment that is trained; None for the perfect sampler.
        settings: of that, but for the seed.
        published: of how many steps the recipe is, where a table may run fewer.
    """

    recipe: str
    title: str
    landscape: str
    experiment: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    published: int | None = None

    def identity(self, seed: int, samples: int, together: int) -> str:
        """A run's name: equal ones give equal results, on one machine and one version."""
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
    """The published ones: experiments that are told on which landscape to play."""
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
    """The groups of a table, landscape by landscape, the perfect sampler first.

    Args:
        names: of recipes; none for all, or with `vary` for ours.
        on: names of landscapes.
        steps: "published", "quick", a number for every recipe, or a fraction of the published ones'. With all
            but a number, ours runs whole.
        vary: fields of the experiment, each with its values: a group for every combination.

    Raises:
        UserError: there is no such recipe, landscape or field, or it cannot have such a value.
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
            raise UserError(f"--vary {field} needs values behind it, as in --vary penalty .01 .1 1")
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


def _steps(said: str, whole: int, recipe: str) -> int:
    if said == "published":
        return whole
    if said.isdecimal() and int(said) >= 1:
        return int(said)
    part = QUICK.get(recipe, Fraction(1)) if said == "quick" else _fraction(said)
    return whole if recipe == OURS else max(1, round(whole * part))


def _fraction(said: str) -> Fraction:
    try:
        part = Fraction(said)
    except (ValueError, ZeroDivisionError):
        part = Fraction(0)
    if not 0 < part <= 1:
        raise UserError(
            f"--steps is published, quick, a whole number of steps, or a fraction as in 1/40, not {said!r}"
        )
    return part
