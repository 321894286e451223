"""`python -m benchmarks compare A B`: two results of the throughput suite side by side.

A row is marked if every round of one result was slower than every round of the other. On two machines, times
always differ, so compare the ratios to TensorFlow instead.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import machine
from benchmarks.tables import digits, plain
from benchmarks.throughput.results import Results, Row, Spread, group_of, load, mark, ratios, seconds

HEADER = (
    *("workload", "path", "precision"),
    *("A ms", "B ms", "B's speed", "time"),
    *("A x TensorFlow", "B x TensorFlow", "ratio"),
)
RIGHT = ("A ms", "B ms", "B's speed", "A x TensorFlow", "B x TensorFlow")


class Pair(NamedTuple):
    """A row that both results have, and its ratios to the best TensorFlow path in each."""

    before: Row
    after: Row
    before_ratio: Spread | None
    after_ratio: Spread | None


def main(words: list[str] | None = None) -> None:
    """Print the comparison.

    Raises:
        UserError: a folder has no results, or they have another schema.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__)
    parser.add_argument(
        "a", type=Path, metavar="A", help="folder with results of throughput, or a results.json"
    )
    parser.add_argument("b", type=Path, metavar="B", help="another one")
    asked = parser.parse_args(words)
    print(compare(load(asked.a), load(asked.b)))


def compare(a: Results, b: Results) -> str:
    """The comparison as text: machines, settings and versions that differ, a table, and unmatched rows."""
    pairs, only_a, only_b = matched(a["rows"], b["rows"])
    parts = [
        f"{name}: {one['date'][:10]}, {machine.sentence(one['machine'])}"
        for name, one in (("A", a), ("B", b))
    ]
    parts += differences(a, b)
    if pairs:
        parts.append(plain(HEADER, [_cells(pair) for pair in pairs], RIGHT))
    parts += [
        f"only in {name}: {_name(row)}" for name, rows in (("A", only_a), ("B", only_b)) for row in rows
    ]
    changed = sum(change(seconds(pair.before), seconds(pair.after)) is not None for pair in pairs)
    parts.append(f"{changed} of {len(pairs)} rows changed by more than the spread of their rounds.")
    return "\n".join(parts)


def matched(a: Sequence[Row], b: Sequence[Row]) -> tuple[list[Pair], list[Row], list[Row]]:
    """`(pairs, rows only in a, rows only in b)`, matched by workload, path, precision and determinism."""
    after = {(*group_of(row), row["path"]): (row, ratio) for row, ratio in zip(b, ratios(b), strict=True)}
    pairs, only_a = [], []
    for row, ratio in zip(a, ratios(a), strict=True):
        if found := after.pop((*group_of(row), row["path"]), None):
            pairs.append(Pair(row, found[0], ratio, found[1]))
        else:
            only_a.append(row)
    return pairs, only_a, [row for row, _ in after.values()]


def change(before: Spread | None, after: Spread | None) -> float | None:
    """The ratio of the medians, `after / before`, or None if the rounds of the two overlap."""
    if before is None or after is None or (after.low <= before.high and before.low <= after.high):
        return None
    return after.median / before.median


def differences(a: Results, b: Results) -> list[str]:
    """Settings and versions that differ, one line each."""
    lines = [
        f"{name.replace('_', ' ')}: A {a['settings'].get(name)}, B {b['settings'].get(name)}"
        for name in sorted(a["settings"].keys() | b["settings"].keys())
        if a["settings"].get(name) != b["settings"].get(name)
    ]
    before, after = _versions(a["rows"]), _versions(b["rows"])
    lines += [
        f"{name}: A {before[name]}, B {after[name]}"
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    ]
    if bool(a.get("quick")) != bool(b.get("quick")):
        lines.append(f"{'A' if a.get('quick') else 'B'} is a quick run: few and short rounds")
    return lines


def _versions(rows: Sequence[Row]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, version in (row.get("versions") or {}).items():
            found.setdefault(name, set()).add(str(version))
    return {name: " and ".join(sorted(versions)) for name, versions in found.items()}


def _cells(pair: Pair) -> list[str]:
    times = [seconds(row) for row in (pair.before, pair.after)]
    slower, moved = change(*times), change(pair.before_ratio, pair.after_ratio)
    speed = f"{digits(times[0].median / times[1].median)}x" if times[0] and times[1] else ""
    return [
        pair.before["workload"],
        pair.before["path"],
        _precision(pair.before),
        *(f"{digits(1000 * one.median)}" if one else "failed" for one in times),
        speed,
        "" if slower is None else "slower" if slower > 1 else "faster",
        *(
            f"{digits(one.median)}" if one else mark(row) or ""
            for one, row in ((pair.before_ratio, pair.before), (pair.after_ratio, pair.after))
        ),
        "" if moved is None else "better" if moved > 1 else "worse",
    ]


def _name(row: Row) -> str:
    return f"{row['workload']}, {row['path']}, {_precision(row)}"


def _precision(row: Row) -> str:
    return row["precision"] + ", deterministic" * bool(row.get("deterministic"))
