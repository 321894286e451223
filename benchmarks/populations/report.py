"""The tables of `python -m benchmarks populations`, for a terminal and for the README.md of its folder."""

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
    "seeds": "number of seeds",
    "way": "one after another: with the program of a single run, compiled once; population: as one program "
    "of `ganjax.populations`, which trains the given number of members at once (by `vmap`), then the next",
    "seconds": "time from the seeds' keys to all trained states without compiling: median (least to most) "
    "over the rounds. ≈: extrapolated from fewer seeds",
    "steps/s of a seed": "steps per second of every seed, while all are trained",
    "ms a step and seed": "seconds divided by steps and seeds",
    "ratio": "seconds one after another divided by those of this way, round by round: above 1, the "
    "population is faster",
    "compile": "seconds until the end of the first step, once",
    "peak memory": "while training: of the whole process (CPU) or on the device (GPU); on a CPU without that "
    "of compiling",
}
READING = """\
A population saves overhead: that of calls, and that of a step's many small operations, which its members
share. If the step of a single member already keeps the processor busy, there is no overhead to share, and the
time grows with the number of seeds in every way of training. **ms a step and seed** shows this: it is then
the same for one seed and for many. One after another, compiling takes the same time for any number of seeds;
as a population, it may take longer."""
CHECKED = """\
All ways begin with the same keys, and each seed's loss in the first step is the same in all ways up to
rounding; a way for which it is not is marked. All timings are in `results.json`."""
RIGHT = tuple(name for name in COLUMNS if name != "way")


def save(folder: str | Path, results: Results) -> Path:
    """Write the folder's `README.md`, and return its path."""
    with atomic(Path(folder) / FILE) as path:
        path.write_text(readme(results))
    return Path(folder) / FILE


def readme(results: Results) -> str:
    """Machine, command, findings, a table for each workload, and the meaning of its columns, as Markdown."""
    settings = results["settings"]
    parts = [
        f"# Seeds as one population, and one after another, {results['date'][:10]}",
        f"{machine.sentence(results['machine'])}.",
        f"```bash\n{shlex.join(results['command'])}\n```",
    ]
    if results["quick"]:
        parts.append("A quick run, only to check that the command works: do not quote its figures.")
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    load = results["load_before"]
    before = f" Load average of the minute before: {load:.2f}." if load is not None else ""
    parts.append(
        f"{versions}. Each way of training has its own process. In each of {settings['rounds']} rounds, "
        f"every way trains its seeds once; each round starts with the next way.{before}"
    )
    if any(extrapolated(row) for row in results["rows"]):
        parts.append(
            f"**One after another, at most {settings['alone']} seeds are trained; for more, the time of "
            f"{settings['alone']} is multiplied** (≈), round by round."
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
    """A plain table for each workload."""
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
    if group is None:  # it failed before the group was chosen
        return "population"
    if row["seeds"] == 1:
        return "population of one"
    how = "all at once" if group == row["seeds"] else "one by one" if group == 1 else f"{group} at once"
    return f"population, {how}" + " (its choice)" * row["chosen"]


def extrapolated(row: Row) -> bool:
    """Whether the time of all seeds is computed from that of fewer."""
    return row["trained"] < row["seeds"]


def seconds(row: Row) -> list[float]:
    """Seconds of all the row's seeds, round by round."""
    return [each * row["seeds"] / row["trained"] for each in row["seconds"]]


def ratio(row: Row, alone: Row) -> Spread | None:
    """How many times as fast as one after another, round by round; None if either failed."""
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
                    "failed" if times is None else "≈ " * extrapolated(row) + _figure(times),
                    digits(row["steps"] / times.median) if times else "",
                    digits(1000 * times.median / row["steps"] / row["seeds"]) if times else "",
                    "1" if row is alone else _figure(found) if found else "",
                    "" if compiled is None else f"{compiled:.1f} s",
                    "" if memory is None else f"{memory / 1e6:.0f} MB",
                ]
            )
    return body


def findings(rows: Sequence[Row]) -> Iterator[str]:
    """A sentence for each way of training a population, about the largest number of seeds."""
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
            how = "as fast as one after another, within the spread of the rounds"
        yield f"{row['seeds']} seeds, {way(row)}: {how}."


def _figure(found: Spread) -> str:
    return f"{digits(found.median)} ({digits(found.low)} to {digits(found.high)})"


def _workloads(results: Results) -> Iterator[tuple[str, list[Row]]]:
    rows = results["rows"]
    for workload in dict.fromkeys(row["workload"] for row in rows):
        yield workload, [row for row in rows if row["workload"] == workload]


def _counts(rows: Sequence[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """For each number of seeds, the row of training one after another, and all rows."""
    for count in dict.fromkeys(row["seeds"] for row in rows):
        members = [row for row in rows if row["seeds"] == count]
        yield next(row for row in members if row["way"] != "population"), members
