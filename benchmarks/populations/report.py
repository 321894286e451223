"""The table of `python -m benchmarks populations`, for a terminal and for the README.md of its folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.tables import digits, markdown, plain
from benchmarks.throughput.results import Results, Row, Spread, spread
from ganjax.system.files import atomic

FILE = "README.md"

COLUMNS = {
    "seeds": "how many are trained",
    "way": "one after another: by the program of a single run, compiled once; population: as one program of "
    "`ganjax.populations`, whose device steps so many members at once (by `vmap`) and the others after them",
    "seconds": "from the seeds' keys to all trained states, compiling excluded: median (least to most) over "
    "the rounds. ≈: so many seeds were not trained one after the other; see above",
    "steps/s of a seed": "steps that every seed takes in a second, while all are trained",
    "ms a step and seed": "those seconds, by steps and seeds",
    "ratio": "seconds one after another over those of this way, round by round: above 1, the population is "
    "faster",
    "compile": "seconds to the end of the first step, once",
    "peak memory": "while training: of the whole process (CPU) or on the device (GPU); without the "
    "compiler's on a CPU",
}
READING = """\
A population saves what a step does not need arithmetic for: the price of calling, and of each of a step's
many small operations, which all members at once then share. Where one member's step keeps the processor at
work, nothing is left to share, and the seconds grow with the seeds whichever way. **ms a step and seed**
tells which it is: where it is the same for one seed and for many, nothing was left. Compiling is the same
for any number of seeds one after another; all at once, it may take longer."""
CHECKED = """\
Every way begins from the same keys, and a seed's loss in its first step is the same in all but for rounding;
a way of which that is not true is marked. Every raw timing is in `results.json`."""
RIGHT = tuple(name for name in COLUMNS if name != "way")


def save(folder: str | Path, results: Results) -> Path:
    """Write the folder's `README.md`; the path is returned."""
    with atomic(Path(folder) / FILE) as path:
        path.write_text(readme(results))
    return Path(folder) / FILE


def readme(results: Results) -> str:
    """Machine, command, what was found, a table for each GAN, and what its columns mean, as Markdown."""
    settings = results["settings"]
    parts = [
        f"# Seeds as one population, and one after another, {results['date'][:10]}",
        f"{machine.sentence(results['machine'])}.",
        f"```bash\n{shlex.join(results['command'])}\n```",
    ]
    if results["quick"]:
        parts.append("A quick look, at whether it works: quote no figure of it.")
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    load = results["load_before"]
    before = f"; load average of the minute before: {load:.2f}" if load is not None else ""
    parts.append(
        f"{versions}. A process for each way. Rounds: {settings['rounds']}, in each of which every way "
        f"trains its seeds once, in an order that moves on by one a round{before}."
    )
    if any(reckoned(row) for row in results["rows"]):
        parts.append(
            f"**One after the other, at most {settings['alone']} seeds are trained; for more, the seconds of "
            f"{settings['alone']} are multiplied** (≈), round by round."
        )
    for workload, rows in _workloads(results):
        parts += [f"## {workload}, {rows[0]['steps']} steps"]
        parts += [" ".join(findings(rows))] if list(findings(rows)) else []
        parts += [markdown(list(COLUMNS), cells(rows), RIGHT)]
        if failed := [row for row in rows if row["error"]]:
            parts.append("\n".join(f"- {row['seeds']} seeds, {way(row)}: {row['error']}" for row in failed))
    meanings = "\n".join(f"- **{name}**: {meaning}" for name, meaning in COLUMNS.items())
    parts.append(f"### Columns\n\n{meanings}")
    parts += [READING, CHECKED]
    return "\n\n".join(parts) + "\n"


def terminal(results: Results) -> str:
    """A plain table for each GAN."""
    parts = []
    for workload, rows in _workloads(results):
        parts += [f"{workload}, {rows[0]['steps']} steps", plain(list(COLUMNS), cells(rows), RIGHT)]
        parts += list(findings(rows))
    return "\n".join(parts)


def way(row: Row) -> str:
    """How a row's seeds are trained, in words."""
    if row["way"] != "population":
        return row["way"]
    group = row["group"]
    if group is None:  # it failed before it had chosen
        return "population"
    if row["seeds"] == 1:
        return "population of one"
    how = "all at once" if group == row["seeds"] else "one by one" if group == 1 else f"{group} at once"
    return f"population, {how}" + " (its choice)" * row["chosen"]


def reckoned(row: Row) -> bool:
    """Whether the seconds of all seeds follow from those of fewer."""
    return row["trained"] < row["seeds"]


def seconds(row: Row) -> list[float]:
    """Seconds of all the row's seeds, round by round."""
    return [each * row["seeds"] / row["trained"] for each in row["seconds"]]


def ratio(row: Row, alone: Row) -> Spread | None:
    """How many times as fast as one after another, round by round; None where either failed."""
    if row["error"] or alone["error"] or not row["seconds"]:
        return None
    return spread([one / this for one, this in zip(seconds(alone), seconds(row), strict=True)])


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """The table's body."""
    body = []
    for alone, members in _counts(rows):
        for row in members:
            times = spread(seconds(row)) if row["seconds"] and not row["error"] else None
            found = ratio(row, alone)
            compiled, memory = row["compile_seconds"], row["peak_memory_bytes"]
            body.append(
                [
                    str(row["seeds"]),
                    way(row),
                    "failed" if times is None else "≈ " * reckoned(row) + _figure(times),
                    digits(row["steps"] / times.median) if times else "",
                    digits(1000 * times.median / row["steps"] / row["seeds"]) if times else "",
                    "1" if row is alone else _figure(found) if found else "",
                    "" if compiled is None else f"{compiled:.1f} s",
                    "" if memory is None else f"{memory / 1e6:.0f} MB",
                ]
            )
    return body


def findings(rows: Sequence[Row]) -> Iterator[str]:
    """What the table says of the largest number of seeds, a sentence for each way of a population."""
    alone, members = max(_counts(rows), key=lambda pair: pair[0]["seeds"])
    for row in members:
        found = None if row is alone else ratio(row, alone)
        if found is None:
            continue
        if found.low > 1:
            how = f"{digits(found.median)} times as fast as one after another"
        elif found.high < 1:
            how = f"{digits(1 / found.median)} times as slow as one after another"
        else:
            how = "no faster and no slower than one after another, beyond what rounds differ by"
        yield f"{row['seeds']} seeds, {way(row)}: {how}."


def _figure(found: Spread) -> str:
    return f"{digits(found.median)} ({digits(found.low)} to {digits(found.high)})"


def _workloads(results: Results) -> Iterator[tuple[str, list[Row]]]:
    rows = results["rows"]
    for workload in dict.fromkeys(row["GAN"] for row in rows):
        yield workload, [row for row in rows if row["GAN"] == workload]


def _counts(rows: Sequence[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """For each number of seeds the row of one after another, and all rows."""
    for count in dict.fromkeys(row["seeds"] for row in rows):
        members = [row for row in rows if row["seeds"] == count]
        yield next(row for row in members if row["way"] != "population"), members
