"""The results of the throughput suite: a JSON file of raw figures, and ratios computed from them.

    {"schema": 1, "command": [...], "date": iso, "quick": bool,
     "machine": {...},                   benchmarks.machine
     "settings": {"device", "deterministic", "allocator", "preallocation", "rounds", ...},
     "peaks": {"float32": {"gflops"}, "bandwidth_gb_s"},             benchmarks.throughput.peaks
     "rows": [{"workload", "path", "precision", "deterministic", "seeds", "batch", "versions",
               "compile_seconds", "peak_memory_compiling_bytes", "peak_memory_bytes",
               "memory_kind", "steps_per_round",
               "seconds_per_step": [one for each round],
               "flops_per_step",
               "same_work": {"comparable", "reason", ...}, "error": None or a line}],
     "notes": [a line for everything that was left out, with the reason]}

In a row with several seeds, a step is one of all seeds. The n-th timings of a workload's rows belong to the
same round, and ratios are computed round by round, so that a change in the speed of the machine affects both
times.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ganjax.system.errors import UserError
from ganjax.system.files import atomic

SCHEMA = 1
FILE = "results.json"
MOST_ROUNDS = 50  # keeps the file of a full run with two precisions below 200 KB

Row = dict[str, Any]
Results = dict[str, Any]


class Spread(NamedTuple):
    """Median, least and largest value of a row's rounds."""

    median: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """The difference between largest and least value, divided by the median."""
        return (self.high - self.low) / self.median


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def save(folder: str | Path, results: Results) -> Path:
    """Write `results.json` into `folder`, which is made if needed; numbers are rounded to six digits.

    Returns:
        The path of the file. It is written atomically, so this may be called after each row.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / FILE) as path:
        path.write_text(_compact(_rounded(results)) + "\n")
    return folder / FILE


def load(path: str | Path) -> Results:
    """Read the results in a folder, or a results.json.

    Raises:
        UserError: there are none, they cannot be read, or they have another schema.
    """
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    try:
        results = json.loads(file.read_text())
    except OSError as error:
        raise UserError(f"no results in {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{file} is not a results file: {error}") from error
    found = results.get("schema") if isinstance(results, dict) else None
    if found != SCHEMA:
        raise UserError(f"{file} has schema {found}, but this program reads {SCHEMA}: measure it again")
    if not isinstance(results.get("rows"), list):
        raise UserError(f"{file} has no rows")
    return results


def group_of(row: Row) -> tuple[str, str, bool]:
    """`(workload, precision, deterministic)`: rows for which this is the same can be compared."""
    return row["workload"], row["precision"], bool(row.get("deterministic"))


def groups(rows: Iterable[Row]) -> dict[tuple[str, str, bool], list[Row]]:
    """The rows by `group_of`, in their order."""
    found: dict[tuple[str, str, bool], list[Row]] = {}
    for row in rows:
        found.setdefault(group_of(row), []).append(row)
    return found


def seconds(row: Row) -> Spread | None:
    """Seconds of a step over the rounds; None if the row has no timing."""
    times = row.get("seconds_per_step")
    return spread(times) if times else None


def trouble(row: Row) -> str | None:
    """One line that says why a row is not comparable with others, or None if it is."""
    if row.get("error"):
        return str(row["error"])
    if not row.get("seconds_per_step"):
        return "not timed"
    same_work = row.get("same_work") or {}
    if not same_work.get("comparable"):
        return str(same_work.get("reason") or "not shown to do the same work")
    return None


def mark(row: Row) -> str | None:
    """`trouble` in one or two words, for the cell of a table."""
    if trouble(row) is None:
        return None
    if row.get("error") or not row.get("seconds_per_step"):
        return "failed"
    return "not comparable" if (row.get("same_work") or {}).get("comparable") is False else "not checked"


def best_tensorflow(rows: Iterable[Row]) -> Row | None:
    """The comparable TensorFlow row with the smallest median among the rows of one group."""
    rows = [row for row in rows if row["path"].startswith("tensorflow") and trouble(row) is None]
    return min(rows, key=lambda row: statistics.median(row["seconds_per_step"]), default=None)


def stock_keras(rows: Iterable[Row]) -> Row | None:
    """The comparable row of stock Keras on JAX among the rows of one group."""
    return next((row for row in rows if row["path"] == "keras-jax" and trouble(row) is None), None)


def ratio(row: Row, base: Row | None) -> Spread | None:
    """The throughput of a row divided by that of `base`, round by round.

    None if there is no base, or if the row is not comparable.
    """
    if base is None or trouble(row) is not None:
        return None
    rounds = zip(base["seconds_per_step"], row["seconds_per_step"], strict=False)
    return spread([base_seconds / row_seconds for base_seconds, row_seconds in rounds])


def ratios(
    rows: Iterable[Row], base: Callable[[Iterable[Row]], Row | None] = best_tensorflow
) -> list[Spread | None]:
    """The `ratio` of each row to the base of its group."""
    rows = list(rows)
    bases = {group: base(members) for group, members in groups(rows).items()}
    return [ratio(row, bases[group_of(row)]) for row in rows]


def share_of_peak(row: Row, peaks: dict[str, Any]) -> float | None:
    """Operations per second divided by those of the machine's matrix products; None if unknown."""
    times, peak = seconds(row), (peaks.get(row["precision"]) or {}).get("gflops")
    if times is None or not peak or not row.get("flops_per_step"):
        return None
    return row["flops_per_step"] / times.median / (1e9 * peak)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(part) for part in value]
    if isinstance(value, float):  # JSON has no NaN or infinity
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _compact(results: Results) -> str:
    """JSON with one line for each row and each other entry, which is small and gives readable diffs."""
    lines = [f"  {json.dumps(name)}: {json.dumps(part)}" for name, part in results.items() if name != "rows"]
    rows = ",\n".join(f"    {json.dumps(row)}" for row in results.get("rows", []))
    return "{\n" + ",\n".join([*lines, f'  "rows": [\n{rows}\n  ]']) + "\n}"
