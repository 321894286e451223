"""What a run of the suite has measured: one JSON file of raw figures, and the ratios that follow from them.

    {"schema": 1, "command": [...], "date": iso, "quick": bool,
     "machine": {...},                   benchmarks.machine
     "settings": {"device", "deterministic", "allocator", "preallocation", "rounds", ...},
     "peaks": {"float32": {"gflops"}, "bandwidth_gb_s"},             benchmarks.throughput.peaks
     "rows": [{"workload", "path", "precision", "deterministic", "seeds", "batch", "versions",
               "compile_seconds", "peak_memory_compiling_bytes", "peak_memory_bytes",
               "memory_kind", "steps_per_round",
               "seconds_per_step": [one a round],
               "flops_per_step",
               "same_work": {"comparable", "reason", ...}, "error": None or a line}],
     "notes": [a line for each thing that was left out, and why]}

A step of a row with several seeds is a step of all of them. The n-th timings of a workload's rows belong to
one round, so that ratios are taken round by round: a machine that drifts carries both sides along.
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
    """The middle and the ends of a row's rounds."""

    median: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """The distance of the ends, as a share of the median."""
        return (self.high - self.low) / self.median


def spread(values: Sequence[float]) -> Spread:
    """Middle and ends of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def save(folder: str | Path, results: Results) -> Path:
    """Write `results.json` into `folder`, which is made if need be; figures keep six digits.

    Returns:
        The file, which is whole at any moment: this may be called after each row.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / FILE) as path:
        path.write_text(_compact(_rounded(results)) + "\n")
    return folder / FILE


def load(path: str | Path) -> Results:
    """The results in a folder or in a file of one.

    Raises:
        UserError: there are none, they cannot be read, or they follow another schema.
    """
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    try:
        results = json.loads(file.read_text())
    except OSError as error:
        raise UserError(f"no results in {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{file} is no results file: {error}") from error
    found = results.get("schema") if isinstance(results, dict) else None
    if found != SCHEMA:
        raise UserError(f"{file} follows schema {found}, this program reads {SCHEMA}: measure it again")
    if not isinstance(results.get("rows"), list):
        raise UserError(f"{file} holds no rows")
    return results


def group_of(row: Row) -> tuple[str, str, bool]:
    """Rows of one group may be divided by each other: `(workload, precision, deterministic)`."""
    return row["workload"], row["precision"], bool(row.get("deterministic"))


def groups(rows: Iterable[Row]) -> dict[tuple[str, str, bool], list[Row]]:
    """The rows by `group_of`, in the order in which they come."""
    found: dict[tuple[str, str, bool], list[Row]] = {}
    for row in rows:
        found.setdefault(group_of(row), []).append(row)
    return found


def seconds(row: Row) -> Spread | None:
    """Seconds of a step, over the rounds; None when the row holds no timing."""
    times = row.get("seconds_per_step")
    return spread(times) if times else None


def trouble(row: Row) -> str | None:
    """Why a row may not be compared with others: one line, or None when it may."""
    if row.get("error"):
        return str(row["error"])
    if not row.get("seconds_per_step"):
        return "not timed"
    same_work = row.get("same_work") or {}
    if not same_work.get("comparable"):
        return str(same_work.get("reason") or "not proven to do the same work")
    return None


def mark(row: Row) -> str | None:
    """`trouble` in a word or two, for a table's cell."""
    if trouble(row) is None:
        return None
    if row.get("error") or not row.get("seconds_per_step"):
        return "failed"
    return "not comparable" if (row.get("same_work") or {}).get("comparable") is False else "not checked"


def best_tensorflow(rows: Iterable[Row]) -> Row | None:
    """The comparable TensorFlow row with the smallest median, of the rows of one group."""
    rows = [row for row in rows if row["path"].startswith("tensorflow") and trouble(row) is None]
    return min(rows, key=lambda row: statistics.median(row["seconds_per_step"]), default=None)


def stock_keras(rows: Iterable[Row]) -> Row | None:
    """The comparable row of stock Keras on JAX, of the rows of one group."""
    return next((row for row in rows if row["path"] == "keras-jax" and trouble(row) is None), None)


def ratio(row: Row, base: Row | None) -> Spread | None:
    """How many times the throughput of `base` a row has, round by round.

    None when there is no base, or when the row may not be compared.
    """
    if base is None or trouble(row) is not None:
        return None
    rounds = zip(base["seconds_per_step"], row["seconds_per_step"], strict=False)
    return spread([theirs / ours for theirs, ours in rounds])


def ratios(
    rows: Iterable[Row], base: Callable[[Iterable[Row]], Row | None] = best_tensorflow
) -> list[Spread | None]:
    """`ratio` of each row to the base of its group."""
    rows = list(rows)
    bases = {group: base(members) for group, members in groups(rows).items()}
    return [ratio(row, bases[group_of(row)]) for row in rows]


def share_of_peak(row: Row, peaks: dict[str, Any]) -> float | None:
    """Floating-point operations a second, as a share of the machine's matrix products in this precision."""
    times, peak = seconds(row), (peaks.get(row["precision"]) or {}).get("gflops")
    if times is None or not peak or not row.get("flops_per_step"):
        return None
    return row["flops_per_step"] / times.median / (1e9 * peak)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(part) for part in value]
    if isinstance(value, float):  # what is not finite has no name in JSON
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _compact(results: Results) -> str:
    """JSON with a line for each row and for each other entry: small, and kind to `git diff`."""
    lines = [f"  {json.dumps(name)}: {json.dumps(part)}" for name, part in results.items() if name != "rows"]
    rows = ",\n".join(f"    {json.dumps(row)}" for row in results.get("rows", []))
    return "{\n" + ",\n".join([*lines, f'  "rows": [\n{rows}\n  ]']) + "\n}"
