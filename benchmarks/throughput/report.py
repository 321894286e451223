"""The tables of a run, for a terminal and for the README.md of its folder."""

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
    "workload": "what is trained",
    "batch": "real samples in a step, of each seed",
    "path": "who trains it",
    "ms a step": "median over the rounds; a step of a population is one of all its seeds",
    "spread": "slowest less fastest round, over the median",
    "x TensorFlow": "throughput over that of the better TensorFlow path (graph or XLA), round by round: "
    "median (least to most); 1 marks that path itself",
    "x stock Keras": "the same over the same pair of stock Keras layers on JAX",
    "of peak": "floating-point operations a second, of the step's products and convolutions as if done "
    "directly, as a share of this machine's matrix products in this precision",
    "compile": "seconds to the end of the first step",
    "peak memory": "while training: of the path's whole process (CPU) or on the device (GPU)",
    "compiling": "the same until the end of the first step, the compiler included",
}
RIGHT = ("batch", "ms a step", "spread", "of peak", "compile", "peak memory", "compiling")

PRECISIONS = {
    "float32": "float32: TF32 is off on every path",
    "tf32": "TF32: float32 arrays, products in TF32 on every path",
    "bfloat16": "bfloat16: Keras's `mixed_bfloat16` on every path",
}


def table(results: Results) -> str:
    """The rows as Markdown: a table for each precision, then what may not be compared and why."""
    parts = []
    for title, rows in _sections(results):
        body = _cells(rows, results.get("peaks") or {})
        parts += [f"### {title}", markdown(list(COLUMNS), body, RIGHT)]
        if refused := [row for row in rows if trouble(row)]:
            reasons = "\n".join(f"- {row['workload']}, {row['path']}: {trouble(row)}" for row in refused)
            parts.append(f"Without a ratio:\n\n{reasons}")
    if price := _price(results["rows"]):
        parts += [
            "### Price of determinism",
            markdown(["workload", "precision", "path", "time with over without"], price),
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
    """Write the folder's `README.md`, which shows `throughput.png` beside it; the path is returned."""
    with atomic(Path(folder) / FILE) as path:
        path.write_text(readme(results))
    return Path(folder) / FILE


def readme(results: Results) -> str:
    """Machine, command, settings, tables and what their columns mean, as Markdown."""
    settings = {name: value for name, value in results["settings"].items() if value is not None}
    parts = [
        f"# Training throughput, {results['date'][:10]}",
        f"{machine.sentence(results['machine'])}.",
        f"```bash\n{shlex.join(results['command'])}\n```",
    ]
    if results.get("quick"):
        parts.append("A quick look: few and short rounds. Quote figures of a run without `--quick`.")
    words = [f"{name.replace('_', ' ')}: {_word(value)}" for name, value in settings.items()]
    parts.append(f"{'; '.join(words)}.")
    parts += [_versions(results["rows"]), _peaks(results.get("peaks") or {})]
    parts.append("![Throughput of each path, by workload](throughput.png)")
    parts.append(table(results).rstrip())
    if results.get("notes"):
        parts.append("Left out:\n\n" + "\n".join(f"- {note}" for note in results["notes"]))
    if results["settings"].get("device") != "gpu":
        parts.append(
            "No GPU row is measured here. On a machine with one, "
            "`python -m benchmarks throughput --device gpu` makes them."
        )
    meanings = "\n".join(f"- **{name}**: {meaning}" for name, meaning in COLUMNS.items())
    parts.append(f"### Columns\n\n{meanings}")
    parts.append(
        "Paths take part in a ratio after they have done the same 20 steps from the same weights, on the "
        "same batches and noise, with the same losses and weights at the end. ganjax's step also computes "
        "its metrics (gradient norms, accuracies), which the other paths do without. Every raw timing is in "
        "`results.json`; `python -m benchmarks compare` puts two such folders side by side."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _sections(results: Results) -> Iterable[tuple[str, list[Row]]]:
    """Title and rows of each precision, deterministic kernels apart."""
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


def _price(rows: list[Row]) -> list[list[str]]:
    """For each path timed with and without deterministic kernels, what they cost."""

    def name_of(row: Row) -> tuple[str, str, str]:
        return row["workload"], row["precision"], row["path"]

    free = {name_of(row): row for row in rows if not row.get("deterministic")}
    body = []
    for row in rows:
        name = name_of(row)
        other = free.get(name)
        if row.get("deterministic") and other and (slow := ratio(other, row)):
            body.append([*name, f"{digits(slow.median)} ({digits(slow.low)} to {digits(slow.high)})"])
    return body


def _versions(rows: list[Row]) -> str:
    """Versions by path, those that agree together."""
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
