"""The tables of toy runs as Markdown: means and standard errors over seeds, beside published figures."""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import machine
from benchmarks.tables import markdown
from benchmarks.toy_tables import published
from benchmarks.toy_tables.plan import OURS, PERFECT
from benchmarks.toy_tables.published import Figure

REPRODUCES = 2.0  # combined standard errors
PASSES = 0.05  # a run passes the energy test if its p-value is above this

MEASURES = {
    "captured": ("modes", 1, 1),
    "high_quality": ("HQ %", 100, 2),
    "reverse_kl": ("reverse KL", 1, 4),
    "deviation_high_quality": ("deviation", 1, 3),
}
"""For each measure: its column, the factor by which it is multiplied there, and digits after the point."""

COLUMNS = (
    "recipe",
    "steps",
    *(column for column, *_ in MEASURES.values()),
    "energy test",
    "s per seed",
    "minutes",
)

NOTE = """\
Columns: **modes**: number of modes with at least one sample within 3 sigma; **HQ %**: samples within 3 sigma
of the nearest centre; **reverse KL**: that of the distribution of these samples over the modes, in nats, from
the mixture's weights; **deviation**: standard deviation of these samples about the mean of their mode, over
the true sigma (also less than 1 for a perfect sampler, since samples beyond 3 sigma are left out); **energy
test**: number of seeds whose samples pass an energy test (Székely and Rizzo 2013) against fresh real ones, p
> .05; **s per seed**: training time; **minutes**: time to compile, train and measure all seeds one after
another. Definitions are those of PacGAN (Lin et al. 2018, arXiv:1712.04086, section 4.1)."""


PICTURE = """\
Real points (first row), and the samples of each recipe with the first seed (orange) over the discriminator's
logits (blue: high; each panel has its own scale), if its input is a single point of the plane."""


class Summary(NamedTuple):
    """The results of a group's runs, in the units of the table's columns.

    Attributes:
        runs: number of runs.
        figures: mean and standard error by the names of `MEASURES`, of those that any run has.
        passes, tested: number of seeds that pass the energy test, and of those that were tested.
        seconds: training time of a seed.
        minutes: time to compile, train and measure all runs one after another.
        diverged: number of runs that diverged.
    """

    runs: int
    figures: dict[str, Figure]
    passes: int
    tested: int
    seconds: Figure
    minutes: float
    diverged: int


def summary(runs: Sequence[Mapping[str, Any]]) -> Summary:
    """Mean and standard error of the measures of `runs`, at least one."""
    figures = {}
    for name, (_, factor, _) in MEASURES.items():
        values = [factor * run[name] for run in runs if run.get(name) is not None]
        if values:
            figures[name] = mean(values)
    p = [run["energy_p"] for run in runs if run.get("energy_p") is not None]
    seconds = mean([run["train_seconds"] for run in runs])
    diverged = sum(run["diverged_at"] is not None for run in runs)
    minutes = sum(run["seconds"] for run in runs) / 60
    return Summary(len(runs), figures, sum(each > PASSES for each in p), len(p), seconds, minutes, diverged)


def mean(values: Sequence[float]) -> Figure:
    """Mean and standard error; no error for a single value."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return Figure(statistics.fmean(values), error)


def summaries(found: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Summary]]:
    """Each group that has runs, with its summary."""
    for number, group in enumerate(found["groups"]):
        runs = [run for run in found["runs"] if run["group"] == number]
        if runs:
            yield group, summary(runs)


def report(found: Mapping[str, Any], picture: str | None) -> str:
    """All results as Markdown, with the picture if there is one."""
    title = "Values of a recipe's settings" if found["settings"]["vary"] else "Toy recipes"
    parts = [
        f"# {title}, {found['date'][:10]}",
        f"```bash\n{shlex.join(found['command'])}\n```",
        _conditions(found),
        *_steps(found),
    ]
    for landscape in dict.fromkeys(group["landscape"] for group in found["groups"]):
        parts += [f"## {landscape}", table(found, landscape)]
    if rows := list(comparisons(found)):
        parts += ["## Comparison with published figures", *_comparison_table(rows)]
    if found["notes"]:
        parts += ["## Not measured", "\n".join(f"- {note}" for note in found["notes"])]
    if picture:
        parts += [PICTURE, f"![Samples of each recipe]({picture})"]
    return "\n\n".join([*parts, NOTE]) + "\n"


def table(found: Mapping[str, Any], landscape: str) -> str:
    """The rows of one landscape.

    Below each recipe are its published figures, and at the end those of other methods.
    """
    body = []
    for group, result in summaries(found):
        if group["landscape"] != landscape:
            continue
        body.append(_cells(group, result))
        if not found["settings"]["vary"]:
            body += [_published_cells(row) for row in published.of(landscape, group["recipe"])]
    if not found["settings"]["vary"]:
        body += [_published_cells(row) for row in published.of(landscape, None)]
    return markdown(COLUMNS, body, right=COLUMNS[1:])


class Comparison(NamedTuple):
    """A measured and a published figure, and their difference in combined standard errors (`apart`)."""

    group: Mapping[str, Any]
    measure: str
    here: Figure
    published: Figure
    apart: float
    source: str

    @property
    def reproduces(self) -> bool:
        return self.apart <= REPRODUCES


def comparisons(found: Mapping[str, Any]) -> Iterator[Comparison]:
    """A comparison for every published figure of the recipes, unless settings were varied."""
    if found["settings"]["vary"]:
        return
    for group, result in summaries(found):
        for row in published.of(group["landscape"], group["recipe"]):
            for name, figure in row.figures().items():
                here = result.figures[name]
                error = math.hypot(here.error or 0, figure.error or 0)
                gap = abs(here.mean - figure.mean)
                apart = gap / error if error else math.inf if gap else 0.0
                yield Comparison(group, name, here, figure, apart, row.source)


def _comparison_table(rows: Sequence[Comparison]) -> list[str]:
    agree = sum(row.reproduces for row in rows)
    body = [
        [
            row.group["title"],
            row.group["landscape"],
            MEASURES[row.measure][0],
            _figure(row.here, MEASURES[row.measure][2]),
            _published(row.published),
            "more than any error" if math.isinf(row.apart) else f"{row.apart:.1f}",
            "yes" if row.reproduces else "no",
        ]
        for row in rows
    ]
    header = ("recipe", "landscape", "figure", "here", "published", "errors apart", "reproduces")
    short = sorted({row.group["title"] for row in rows if _part(row.group) < 1})
    text = (
        f"A figure reproduces if it is within {REPRODUCES:g} combined standard errors of the published one. "
        "The combined error is sqrt(here² + published²), where an error that is not published counts as 0. "
        f"{agree} of {len(rows)} figures reproduce."
    )
    if short:
        text += (
            f" {', '.join(short)} had fewer steps than published, so differences may come from that and say "
            "nothing about the published settings."
        )
    sources = "\n".join(f"- {source}" for source in dict.fromkeys(row.source for row in rows))
    return [text, markdown(header, body, right=header[3:6]), f"Published in:\n\n{sources}"]


def _conditions(found: Mapping[str, Any]) -> str:
    settings = found["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    how = (
        f"{settings['jobs']} processes at a time, each with one thread on its own core"
        if settings["device"] == "cpu"
        else "all seeds of a recipe as one population"
    )
    minutes = sum(run["seconds"] for run in found["runs"]) / 60
    seeds, made, every = settings["seeds"], found["made"], len(found["runs"])
    lines = [
        f"{machine.sentence(found['machine'])}; {versions}.",
        (f"{seeds} seeds (0 to {seeds - 1})" if seeds > 1 else "1 seed (0)")
        + f", {settings['samples']} samples each; {how}. Means over seeds ± standard errors.",
        f"This command took {found['seconds'] / 60:.1f} minutes for {made} runs"
        + (f"; {every - made} more were made earlier" if made < every else "")
        + f". Compiling, training and measuring all {every} took {minutes:.1f} minutes of process time.",
    ]
    if len(found["programs"]) > 1:
        lines.append(f"Runs were made with several versions: {'; '.join(found['programs'])}.")
    return "\n\n".join(lines)


def _steps(found: Mapping[str, Any]) -> list[str]:
    parts = {group["recipe"]: _fraction(_part(group)) for group in found["groups"] if group["published"]}
    if not parts:
        return []
    if set(parts.values()) == {"all"}:
        return ["Every published recipe is trained for its published number of steps."]
    ours = ""
    if any(group["recipe"] == OURS for group in found["groups"]):
        own_steps = not found["settings"]["steps"].isdigit()
        ours = " Our own is trained for all its steps." if own_steps else " So is our own."
    if len(set(parts.values())) == 1:
        how_long = f"{parts.popitem()[1]} of their published steps"
    else:
        how_long = f"a part of their published steps: {', '.join(map(' '.join, parts.items()))}"
    return [f"**Published recipes are trained for {how_long}.**{ours}"]


def _part(group: Mapping[str, Any]) -> float:
    """The number of steps of a group as a fraction of the published number."""
    return group["settings"]["steps"] / group["published"] if group["published"] else 1.0


def _fraction(part: float) -> str:
    if part >= 1:
        return "all" if part == 1 else f"{part:.3g} times"
    return f"1/{1 / part:.0f}" if part < 0.01 else f"1/{1 / part:.3g}"


def _cells(group: Mapping[str, Any], result: Summary) -> list[str]:
    name = group["title"]
    if result.diverged:
        name += f" ({result.diverged} of {result.runs} diverged)"
    trained = group["recipe"] != PERFECT
    steps = _thousands(group["settings"]["steps"]) if trained else ""
    if trained and _part(group) != 1:
        steps += f" ({_fraction(_part(group))})"
    cells = [
        _figure(result.figures[measure], digits) if measure in result.figures else "–"
        for measure, (_, _, digits) in MEASURES.items()
    ]
    passes = f"{result.passes} of {result.tested}" if result.tested else "–"
    seconds = _figure(result.seconds, _digits(result.seconds))
    times = [seconds, f"{result.minutes:.1f}"] if trained else ["", ""]
    return [name, steps, *cells, passes, *times]


def _published_cells(row: published.Published) -> list[str]:
    figures = row.figures()
    cells = [_published(figures[name]) if name in figures else "–" for name in MEASURES]
    name = f"*{row.title}, published ({row.source.split(',')[0]})*"
    return [name, "", *(f"*{cell}*" if cell != "–" else cell for cell in cells), "–", "–", "–"]


def _figure(figure: Figure, digits: int) -> str:
    spread = "" if figure.error is None else f" ± {figure.error:.{digits}f}"
    return f"{figure.mean:.{digits}f}{spread}"


def _published(figure: Figure) -> str:
    """The figure with the digits of the paper."""
    return f"{figure.mean:g}" + ("" if figure.error is None else f" ± {figure.error:g}")


def _digits(seconds: Figure) -> int:
    return 0 if seconds.mean >= 20 else 1 if seconds.mean >= 1 else 2


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", " ")
