"""How two small runs are compared, and the table of all of them."""

from __future__ import annotations

import datetime
import json
import shlex
import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.reproducibility.conditions import CONDITIONS, Condition
from benchmarks.tables import markdown
from ganjax.system.errors import UserError
from ganjax.system.files import atomic

SCHEMA = 1
FILE = "results.json"
HEADER = ("condition", "compared with", "first step that differs", "after 1 step", "after the last", "scores")
IDENTICAL = "identical at every digest"
NOTE = """\
Columns: "after 1 step" and "after the last" give the largest relative difference of a leaf, max|a - b| /
max|b|, its path, and in brackets the median over all leaves. Leaves whose gradient is nothing but
rounding (a bias before a normalisation, or one that a relativistic loss cancels) are moved by Adam by
whole learning rates at once, whichever way the rounding went: there the largest is of order 1 after one
step. "scores" is the largest relative difference of a score after the last step; a run this short has not
converged, and its scores are as far apart as chaos makes them: "another seed" is the yardstick.

Threads are those of XLA's pool, set by the variable `NPROC` (by default as many as cores the process may
use) and counted in the process. A row on other instructions is this same processor, told to use fewer of
them (--xla_cpu_max_isa), which reaches only the code that XLA generates: products come from libraries that
choose by themselves. It says nothing of another processor.

Not measured: GPU with deterministic kernels (`--xla_gpu_deterministic_ops=true
--xla_gpu_autotune_level=0`): there was no GPU; another processor."""


def opened(
    folder: Path, here: Mapping[str, Any], command: Sequence[str], experiments: Collection[str]
) -> dict[str, Any]:
    """What `folder` has of other experiments than these, as JSON values, ready for rows of these.

    Raises:
        UserError: what is there was measured on another machine.
    """
    file, earlier = folder / FILE, {"machine": dict(here), "commands": [], "rows": []}
    if file.exists():
        earlier = json.loads(file.read_text())
        if earlier["machine"] != here:
            raise UserError(f"{file} is of another machine, system or Python: choose another folder by --out")
    rows = [row for row in earlier["rows"] if row["experiment"] not in experiments]
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    commands = [*earlier["commands"], list(command)]
    return {"schema": SCHEMA, "date": date, "machine": earlier["machine"], "commands": commands, "rows": rows}


def row(
    experiment: str, name: str, condition: Condition, run: Mapping[str, Any], other: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A run, and how it differs from `other` (None for the usual run itself), as JSON values."""
    found: dict[str, Any] = {
        "experiment": experiment,
        "condition": name,
        "title": condition.title or interpreter(run),
        "against": condition.against if other else None,
        "first_difference": None,
        "after_1": None,
        "after_last": None,
        "error": run["error"] or (other and other["error"] and f"{condition.against}: {other['error']}"),
        **{key: run.get(key) for key in ("threads", "scores", "digests", "versions")},
    }
    if other and not found["error"]:
        found["first_difference"] = first_difference(run["digests"], other["digests"])
        if found["first_difference"] is not None:
            found |= {f"after_{when}": difference(run, other, when) for when in ("1", "last")}
        found["scores_differ"] = scores_differ(run["scores"], other["scores"])
    return found


def interpreter(run: Mapping[str, Any]) -> str:
    """The versions of a run, in words."""
    versions = run.get("versions")
    return f"Python {versions['python']}, JAX {versions['jax']}" if versions else "another interpreter"


def first_difference(one: Mapping[str, str], other: Mapping[str, str]) -> int | None:
    """The first step at which digests differ, of those both have."""
    return next((int(step) for step in one if one[step] != other.get(step, one[step])), None)


def difference(run: Mapping[str, Any], other: Mapping[str, Any], when: str) -> dict[str, Any]:
    """Of the states after step `when` ("1" or "last"): the `largest` relative difference of a `leaf`, and the
    `median` over all leaves.
    """
    with (
        np.load(run["folder"] / f"{when}.npz", allow_pickle=False) as a,
        np.load(other["folder"] / f"{when}.npz", allow_pickle=False) as b,
    ):
        by_leaf = {path: relative(a[path], b[path]) for path in a.files}
    leaf = max(by_leaf, key=lambda path: by_leaf[path])
    return {"largest": by_leaf[leaf], "leaf": leaf, "median": statistics.median(by_leaf.values())}


def relative(a: Any, b: Any) -> float:
    """Of two arrays: max|a - b| / max|b|, and max|a - b| where b is 0 everywhere."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    apart, scale = (float(np.max(np.abs(x), initial=0.0)) for x in (a - b, b))
    return apart / scale if scale else apart


def scores_differ(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The largest relative difference of a score."""
    return max(relative(one[name], other[name]) for name in one)


def line(row: Mapping[str, Any]) -> str:
    """One row in one line, for a terminal."""
    return f"{row['experiment']}: {row['title']}: {_first(row)}"


def save(folder: Path, found: Mapping[str, Any]) -> None:
    """Write `results.json` and `README.md` into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / FILE) as path:
        path.write_text(_compact(found))
    with atomic(folder / "README.md") as path:
        path.write_text(report(found))


def report(found: Mapping[str, Any]) -> str:
    """The whole as Markdown."""
    commands = "\n".join(map(shlex.join, found["commands"]))
    parts = [
        f"# Which bits are the same, {found['date'][:10]}",
        f"{machine.sentence(found['machine'])}.",
        f"```bash\n{commands}\n```",
        "Every run is a fresh process.",
    ]
    for experiment in dict.fromkeys(row["experiment"] for row in found["rows"]):
        usual, *others = (row for row in found["rows"] if row["experiment"] == experiment)
        parts += [f"### {experiment}", _circumstances(usual), markdown(HEADER, list(map(_cells, others)))]
    return "\n\n".join([*parts, NOTE]) + "\n"


def _circumstances(usual: Mapping[str, Any]) -> str:
    """Of the runs of one experiment, from the usual one."""
    if usual["error"]:
        return usual["error"]
    versions = ", ".join(f"{name} {version}" for name, version in usual["versions"].items())
    return f"{max(map(int, usual['digests']))} steps; {usual['threads']} threads; {versions}."


def _cells(row: Mapping[str, Any]) -> list[str]:
    against = row["against"] and CONDITIONS[row["against"]].title
    scores = "" if row["error"] else f"{row['scores_differ']:.1%}" if row["scores_differ"] else "equal"
    return [
        row["title"],
        against or "",
        _first(row),
        _apart(row["after_1"]),
        _apart(row["after_last"]),
        scores,
    ]


def _first(row: Mapping[str, Any]) -> str:
    if row["error"]:
        return f"not measured: {row['error']}"
    if row["against"] is None:
        return "the usual run"
    return IDENTICAL if row["first_difference"] is None else str(row["first_difference"])


def _apart(found: Mapping[str, Any] | None) -> str:
    return f"{found['largest']:.1e} `{found['leaf']}` ({found['median']:.1e})" if found else ""


def _compact(found: Mapping[str, Any]) -> str:
    """JSON with a line for each row and for each other entry."""
    lines = [f"  {json.dumps(name)}: {json.dumps(part)}" for name, part in found.items() if name != "rows"]
    rows = ",\n".join(f"    {json.dumps(row)}" for row in found["rows"])
    return "{\n" + ",\n".join([*lines, f'  "rows": [\n{rows}\n  ]']) + "\n}\n"
