"""A table of toy runs as Markdown: means and standard errors over seeds, beside published figures."""

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
PASSES = 0.05  # the energy test's p-value is above this

MEASURES = {
    "captured": ("modes", 1, 1),
    "high_quality": ("HQ %", 100, 2),
    "reverse_kl": ("reverse KL", 1, 4),
    "deviation_high_quality": ("deviation", 1, 3),
}
"""Column of each measure, what it is multiplied by there, and digits behind the point."""

COLUMNS = (
    "recipe",
    "steps",
    *(column for column, *_ in MEASURES.values()),
    "energy test",
    "s a seed",
    "minutes",
)

NOTE = """\
Columns: **modes**: those with at least one sample within 3 sigma; **HQ %**: samples within 3 sigma of the
nearest centre; **reverse KL**: of the modes' shares among these, in nats, against the mixture's weights;
**deviation**: standard deviation of these about their mode's mean, over the true sigma (below 1 for a perfect
sampler too, since what lies beyond 3 sigma is not among them); **energy test**: seeds whose samples an energy
test (Székely and Rizzo 2013) cannot tell from as many fresh real ones, p > .05; **s a seed**: of training
alone; **minutes**: all seeds one after the other, compiled, trained and measured.
Definitions are PacGAN's (Lin et al. 2018, arXiv:1712.04086, section 4.1)."""


PICTURE = """\
Real points (first row), and those each recipe generates with the first seed (orange) over its discriminator's
logits (blue: high; each panel has its own scale), where that sees one point of the plane at a time."""


class Summary(NamedTuple):
    """A group's runs together; figures in the units of the table's columns.

    Attributes:
        figures: mean and standard error by the names of `MEASURES`; those that any run has.
        passes, tested: seeds that pass the energy test, of how many.
        seconds: of training, a seed.
        minutes: of compiling, training and measuring, of all runs one after the other.
        diverged: how many runs ended early.
    """

    runs: int
    figures: dict[str, Figure]
    passes: int
    tested: int
    seconds: Figure
    minutes: float
    diverged: int


def summary(runs: Sequence[Mapping[str, Any]]) -> Summary:
    """Mean and standard error of what `runs`, at least one, have measured."""
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
    """Mean and standard error; no error where there is only one value."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return Figure(statistics.fmean(values), error)


def summaries(found: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Summary]]:
    """Each group that has runs, with them together."""
    for number, group in enumerate(found["groups"]):
        runs = [run for run in found["runs"] if run["group"] == number]
        if runs:
            yield group, summary(runs)


def report(found: Mapping[str, Any], picture: str | None) -> str:
    """The whole as Markdown, with a link to the picture where there is one."""
    title = "Values of a recipe's settings" if found["settings"]["vary"] else "Toy recipes"
    parts = [
        f"# {title}, {found['date'][:10]}",
        f"```bash\n{shlex.join(found['command'])}\n```",
        _circumstances(found),
        *_steps(found),
    ]
    for landscape in dict.fromkeys(group["landscape"] for group in found["groups"]):
        parts += [f"## {landscape}", table(found, landscape)]
    if rows := list(comparisons(found)):
        parts += ["## What reproduces", *_verdict(found, rows)]
    if found["notes"]:
        parts += ["## Not measured", "\n".join(f"- {note}" for note in found["notes"])]
    if picture:
        parts += [PICTURE, f"![Samples of each recipe]({picture})"]
    return "\n\n".join([*parts, NOTE]) + "\n"


def table(found: Mapping[str, Any], landscape: str) -> str:
    """One landscape's rows; below each recipe what is published of it, at the end what else is published."""
    body = []
    for group, its in summaries(found):
        if group["landscape"] != landscape:
            continue
        body.append(_cells(group, its))
        if not found["settings"]["vary"]:
            body += [_published_cells(row) for row in published.of(landscape, group["recipe"])]
    if not found["settings"]["vary"]:
        body += [_published_cells(row) for row in published.of(landscape, None)]
    return markdown(COLUMNS, body, right=COLUMNS[1:])


class Comparison(NamedTuple):
    """A measured figure beside the published one, and how many combined standard errors lie between."""

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
    """Every published figure of a recipe that was run as it is, by the rule of `REPRODUCES`."""
    if found["settings"]["vary"]:
        return
    for group, its in summaries(found):
        for row in published.of(group["landscape"], group["recipe"]):
            for name, figure in row.figures().items():
                here = its.figures[name]
                error = math.hypot(here.error or 0, figure.error or 0)
                gap = abs(here.mean - figure.mean)
                apart = gap / error if error else math.inf if gap else 0.0
                yield Comparison(group, name, here, figure, apart, row.source)


def _verdict(found: Mapping[str, Any], rows: Sequence[Comparison]) -> list[str]:
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
    said = (
        f"A figure reproduces where it lies within {REPRODUCES:g} combined standard errors of the published "
        "one, sqrt(here² + published²), an error that is not published counting as 0. "
        f"{agree} of {len(rows)} figures do."
    )
    if short:
        said += (
            f" {', '.join(short)}: trained for fewer steps than published, so what differs may be for want "
            "of them, and nothing is said of the published settings."
        )
    sources = "\n".join(f"- {source}" for source in dict.fromkeys(row.source for row in rows))
    return [said, markdown(header, body, right=header[3:6]), f"Published in:\n\n{sources}"]


def _circumstances(found: Mapping[str, Any]) -> str:
    settings = found["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    how = (
        f"{settings['jobs']} at a time, each process on a core of its own with one thread"
        if settings["device"] == "cpu"
        else "the seeds of a recipe as one population"
    )
    minutes = sum(run["seconds"] for run in found["runs"]) / 60
    seeds, made, every = settings["seeds"], found["made"], len(found["runs"])
    lines = [
        f"{machine.sentence(found['machine'])}; {versions}.",
        (f"{seeds} seeds (0 to {seeds - 1})" if seeds > 1 else "1 seed (0)")
        + f", {settings['samples']} samples each; {how}. Means over seeds ± standard errors.",
        f"{found['seconds'] / 60:.1f} minutes in all for the {made} runs this command made"
        + (f"; {every - made} were there from earlier ones" if made < every else "")
        + f". Compiling, training and measuring all {every} took {minutes:.1f} minutes of processes.",
    ]
    if len(found["programs"]) > 1:
        lines.append(f"Runs are of several versions: {'; '.join(found['programs'])}.")
    return "\n\n".join(lines)


def _steps(found: Mapping[str, Any]) -> list[str]:
    parts = {group["recipe"]: _fraction(_part(group)) for group in found["groups"] if group["published"]}
    if not parts:
        return []
    if set(parts.values()) == {"all"}:
        return ["Every published recipe is trained for as many steps as it is published with."]
    ours = ""
    if any(group["recipe"] == OURS for group in found["groups"]):
        ours = " So is ours." if found["settings"]["steps"].isdigit() else " Ours is trained whole."
    if len(set(parts.values())) == 1:
        which = f"{parts.popitem()[1]} of their published steps"
    else:
        which = f"a part of their published steps: {', '.join(map(' '.join, parts.items()))}"
    return [f"**Published recipes are trained for {which}.**{ours}"]


def _part(group: Mapping[str, Any]) -> float:
    """Which part of its published steps a group is trained for."""
    return group["settings"]["steps"] / group["published"] if group["published"] else 1.0


def _fraction(part: float) -> str:
    if part >= 1:
        return "all" if part == 1 else f"{part:.3g} times"
    return f"1/{1 / part:.0f}" if part < 0.01 else f"1/{1 / part:.3g}"


def _cells(group: Mapping[str, Any], its: Summary) -> list[str]:
    name = group["title"]
    if its.diverged:
        name += f" ({its.diverged} of {its.runs} diverged)"
    trained = group["recipe"] != PERFECT
    steps = _thousands(group["settings"]["steps"]) if trained else ""
    if trained and _part(group) != 1:
        steps += f" ({_fraction(_part(group))})"
    cells = [
        _figure(its.figures[measure], digits) if measure in its.figures else "–"
        for measure, (_, _, digits) in MEASURES.items()
    ]
    passes = f"{its.passes} of {its.tested}" if its.tested else "–"
    times = [_figure(its.seconds, _digits(its.seconds)), f"{its.minutes:.1f}"] if trained else ["", ""]
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
    """With the digits of the paper."""
    return f"{figure.mean:g}" + ("" if figure.error is None else f" ± {figure.error:g}")


def _digits(seconds: Figure) -> int:
    return 0 if seconds.mean >= 20 else 1 if seconds.mean >= 1 else 2


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", " ")
