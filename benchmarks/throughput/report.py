"""The tables of results, for a terminal and for the README.md of their folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.tables import digits, markdown, plain
from benchmarks.throughput.results import (
    Results,
    Row,
    Spread,
    best_tensorflow,
    groups,
    mark,
    ratio,
    seconds,
    share_of_peak,
    stock_keras,
    trouble,
)
from ganjax.system.files import atomic

FILE = "README.md"

COLUMNS = {
    "workload": "networks, data and settings",
    "batch": "real samples in a step of each seed",
    "path": "library and program that trains it",
    "ms per step": "median over the rounds; a step of a population is one step of all its seeds",
    "spread": "difference between the slowest and the fastest round, divided by the median",
    "x TensorFlow": "throughput divided by that of the better TensorFlow path (graph or XLA), round by "
    "round: median (least to most); 1 marks that path itself",
    "x stock Keras": "the same relative to the same networks in stock Keras on JAX",
    "of peak": "floating-point operations per second of the step's products and convolutions, computed "
    "directly, as a share of the speed of this machine's matrix products in this precision",
    "compile": "seconds until the end of the first step",
    "peak memory": "while training: of the path's whole process (CPU) or on the device (GPU)",
    "compiling": "the same until the end of the first step, including that of the compiler",
}
RIGHT = ("batch", "ms per step", "spread", "of peak", "compile", "peak memory", "compiling")

PRECISIONS = {
    "float32": "float32: without TF32 on every path",
    "tf32": "TF32: float32 arrays, products in TF32 on every path",
    "bfloat16": "bfloat16: Keras's `mixed_bfloat16` on every path",
}


def table(results: Results) -> str:
    """The rows as Markdown: a table for each precision, and why rows are not comparable."""
    parts = []
    for title, rows in _sections(results):
        body = _cells(rows, results.get("peaks") or {})
        parts += [f"### {title}", markdown(list(COLUMNS), body, RIGHT)]
        if refused := [row for row in rows if trouble(row)]:
            reasons = "\n".join(f"- {row['workload']}, {row['path']}: {trouble(row)}" for row in refused)
            parts.append(f"Rows without a ratio:\n\n{reasons}")
    if cost := _cost_of_determinism(results["rows"]):
        parts += [
            "### Cost of deterministic kernels",
            markdown(["workload", "precision", "path", "time with them / without"], cost),
        ]
    return "\n\n".join(parts) + "\n"


def terminal(results: Results) -> str:
    """The rows as a plain table for each precision."""
    parts = []
    for title, rows in _sections(results):
        body = _cells(rows, results.get("peaks") or {})
        parts += [title, plain(list(COLUMNS), body, RIGHT)]
        parts += [
            f"{row['workload']}, {row['path']}: no ratio: {trouble(row)}" for row in rows if trouble(row)
        ]
    return "\n".join([*parts, *results.get("notes", [])])


def save(folder: str | Path, results: Results) -> Path:
    """Write the folder's `README.md`, which shows its `throughput.png`, and return its path."""
    with atomic(Path(folder) / FILE) as path:
        path.write_text(readme(results))
    return Path(folder) / FILE


def readme(results: Results) -> str:
    """Machine, command, settings, tables and the meaning of their columns, as Markdown."""
    settings = {name: value for name, value in results["settings"].items() if value is not None}
    parts = [
        f"# Training throughput, {results['date'][:10]}",
        f"{machine.sentence(results['machine'])}.",
        f"```bash\n{shlex.join(results['command'])}\n```",
    ]
    if results.get("quick"):
        parts.append(
            "A quick run with few and short rounds: quote figures of a run without `--quick` instead."
        )
    words = [f"{name.replace('_', ' ')}: {_word(value)}" for name, value in settings.items()]
    parts.append(f"{'; '.join(words)}.")
    parts += [_versions(results["rows"]), _peaks(results.get("peaks") or {})]
    parts.append("![Throughput of each path, by workload](throughput.png)")
    parts.append(table(results).rstrip())
    if results.get("notes"):
        parts.append("Left out:\n\n" + "\n".join(f"- {note}" for note in results["notes"]))
    if results["settings"].get("device") != "gpu":
        parts.append(
            "These are results of a CPU. On a machine with a GPU, use "
            "`python -m benchmarks throughput --device gpu`."
        )
    meanings = "\n".join(f"- **{name}**: {meaning}" for name, meaning in COLUMNS.items())
    parts.append(f"### Columns\n\n{meanings}")
    parts.append(
        "A path gets a ratio only if 20 steps from the same weights, with the same batches and latents, give "
        "the same losses and the same weights at the end. ganjax's step also computes its metrics (gradient "
        "norms, accuracies), the other paths do not. All timings are in `results.json`; "
        "`python -m benchmarks compare` compares two such folders."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _sections(results: Results) -> Iterable[tuple[str, list[Row]]]:
    """Title and rows of each precision, separately with deterministic kernels."""
    found: dict[tuple[str, bool], list[Row]] = {}
    for (_, precision, deterministic), rows in groups(results["rows"]).items():
        found.setdefault((precision, deterministic), []).extend(rows)
    for (precision, deterministic), rows in found.items():
        yield PRECISIONS.get(precision, precision) + ", deterministic kernels" * deterministic, rows


def _cells(rows: list[Row], peaks: dict[str, Any]) -> list[list[str]]:
    body = []
    for members in groups(rows).values():
        tensorflow, stock = best_tensorflow(members), stock_keras(members)
        for row in members:
            times, share = seconds(row), share_of_peak(row, peaks)
            compiled = row.get("compile_seconds")
            body.append(
                [
                    row["workload"],
                    str(row["batch"]),
                    row["path"],
                    f"{digits(1000 * times.median)}" if times else "",
                    f"{times.width:.0%}" if times else "",
                    "1" if row is tensorflow else _ratio(row, ratio(row, tensorflow)),
                    "1" if row is stock else _ratio(row, ratio(row, stock)),
                    f"{100 * share:.2g} %" if share is not None else "",
                    f"{compiled:.1f} s" if compiled is not None else "",
                    _megabytes(row.get("peak_memory_bytes")),
                    _megabytes(row.get("peak_memory_compiling_bytes")),
                ]
            )
    return body


def _megabytes(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.0f} MB"


def _ratio(row: Row, found: Spread | None) -> str:
    if found is None:
        return mark(row) or ""
    return f"{digits(found.median)} ({digits(found.low)} to {digits(found.high)})"


def _cost_of_determinism(rows: list[Row]) -> list[list[str]]:
    """For each path timed with and without deterministic kernels, the ratio of the times."""

    def name_of(row: Row) -> tuple[str, str, str]:
        return row["workload"], row["precision"], row["path"]

    without = {name_of(row): row for row in rows if not row.get("deterministic")}
    body = []
    for row in rows:
        name = name_of(row)
        other = without.get(name)
        if row.get("deterministic") and other and (slow := ratio(other, row)):
            body.append([*name, f"{digits(slow.median)} ({digits(slow.low)} to {digits(slow.high)})"])
    return body


def _versions(rows: list[Row]) -> str:
    """Versions, and the paths that have them."""
    found: dict[str, list[str]] = {}
    for row in rows:
        versions = ", ".join(f"{name} {version}" for name, version in (row.get("versions") or {}).items())
        paths = found.setdefault(versions, [])
        if row["path"] not in paths:
            paths.append(row["path"])
    return "\n".join(f"- {', '.join(paths)}: {versions}" for versions, paths in found.items() if versions)


def _peaks(peaks: dict[str, Any]) -> str:
    parts = [
        f"{peak['gflops']:.0f} GFLOP/s in {name} matrix products"
        for name, peak in peaks.items()
        if isinstance(peak, dict) and peak.get("gflops")
    ]
    if peaks.get("bandwidth_gb_s"):
        parts.append(f"{peaks['bandwidth_gb_s']:.0f} GB/s of memory bandwidth")
    return f"Measured in the same run: {', '.join(parts)}." if parts else ""


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
