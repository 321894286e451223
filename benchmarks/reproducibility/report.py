"""The comparison of two short runs, and the tables of all comparisons."""

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
Columns: "after 1 step" and "after the last" have the largest relative difference of a leaf, max|a - b| /
max|b|, its path, and in brackets the median over all leaves. If the gradient of a leaf is only rounding error
(a bias before a normalisation, or one that a relativistic loss cancels), Adam moves it by a whole learning
rate in a random direction: the largest difference is then about 1 after one step. "scores" is the largest
relative difference of a score after the last step. Such short runs have not converged, so small differences
have grown; compare with the row "another seed".

Threads are those of XLA's pool. Their number is set by the variable `NPROC` (by default the number of cores
that the process may use), and counted in the process. For rows about other instructions, XLA generates code
with fewer instructions on the same processor (--xla_cpu_max_isa); matrix products come from libraries that
choose by themselves. Another processor may give other results.

Not measured: GPUs with deterministic kernels (`--xla_gpu_deterministic_ops=true --xla_gpu_autotune_level=0`),
and other processors."""


def load(
    folder: Path, here: Mapping[str, Any], command: Sequence[str], experiments: Collection[str]
) -> dict[str, Any]:
    """The results in `folder`, as JSON values, without rows of `experiments`, which will be measured again.

    Raises:
        UserError: they were measured on another machine.
    """
    file, earlier = folder / FILE, {"machine": dict(here), "commands": [], "rows": []}
    if file.exists():
        earlier = json.loads(file.read_text())
        if earlier["machine"] != here:
            raise UserError(
                f"{file} is from another machine, system or Python: choose another folder by --out"
            )
    rows = [row for row in earlier["rows"] if row["experiment"] not in experiments]
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    commands = [*earlier["commands"], list(command)]
    return {"schema": SCHEMA, "date": date, "machine": earlier["machine"], "commands": commands, "rows": rows}


def row(
    experiment: str, name: str, condition: Condition, run: Mapping[str, Any], other: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A run and its differences from `other` (None for the usual run itself), as JSON values."""
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
    """The versions of a run as text."""
    versions = run.get("versions")
    return f"Python {versions['python']}, JAX {versions['jax']}" if versions else "another interpreter"


def first_difference(one: Mapping[str, str], other: Mapping[str, str]) -> int | None:
    """The first step, of those that both runs have, at which the digests differ."""
    return next((int(step) for step in one if one[step] != other.get(step, one[step])), None)


def difference(run: Mapping[str, Any], other: Mapping[str, Any], when: str) -> dict[str, Any]:
    """The `largest` relative difference of a `leaf`, and the `median` over all leaves.

    Args:
        run, other: the two runs.
        when: "1" or "last": the step after which their states are compared.
    """
    with (
        np.load(run["folder"] / f"{when}.npz", allow_pickle=False) as a,
        np.load(other["folder"] / f"{when}.npz", allow_pickle=False) as b,
    ):
        by_leaf = {path: relative(a[path], b[path]) for path in a.files}
    leaf = max(by_leaf, key=lambda path: by_leaf[path])
    return {"largest": by_leaf[leaf], "leaf": leaf, "median": statistics.median(by_leaf.values())}


def relative(a: Any, b: Any) -> float:
    """max|a - b| / max|b| of two arrays, or max|a - b| if b is 0 everywhere."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    largest, scale = (float(np.max(np.abs(x), initial=0.0)) for x in (a - b, b))
    return largest / scale if scale else largest


def scores_differ(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The largest relative difference of a score."""
    return max(relative(one[name], other[name]) for name in one)


def line(row: Mapping[str, Any]) -> str:
    """One row in one line, for a terminal."""
    return f"{row['experiment']}: {row['title']}: {_first(row)}"


def save(folder: Path, found: Mapping[str, Any]) -> None:
    """Write `results.json` and `README.md` into `folder`, which is made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / FILE) as path:
        path.write_text(_compact(found))
    with atomic(folder / "README.md") as path:
        path.write_text(report(found))


def report(found: Mapping[str, Any]) -> str:
    """All results as Markdown."""
    commands = "\n".join(map(shlex.join, found["commands"]))
    parts = [
        f"# Which conditions leave a run the same, {found['date'][:10]}",
        f"{machine.sentence(found['machine'])}.",
        f"```bash\n{commands}\n```",
        "Every run is a new process.",
    ]
    for experiment in dict.fromkeys(row["experiment"] for row in found["rows"]):
        usual, *others = (row for row in found["rows"] if row["experiment"] == experiment)
        parts += [f"### {experiment}", _conditions(usual), markdown(HEADER, list(map(_cells, others)))]
    return "\n\n".join([*parts, NOTE]) + "\n"


def _conditions(usual: Mapping[str, Any]) -> str:
    """Steps, threads and versions of the usual run."""
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
        _difference(row["after_1"]),
        _difference(row["after_last"]),
        scores,
    ]


def _first(row: Mapping[str, Any]) -> str:
    if row["error"]:
        return f"not measured: {row['error']}"
    if row["against"] is None:
        return "the usual run"
    return IDENTICAL if row["first_difference"] is None else str(row["first_difference"])


def _difference(found: Mapping[str, Any] | None) -> str:
    return f"{found['largest']:.1e} `{found['leaf']}` ({found['median']:.1e})" if found else ""


def _compact(found: Mapping[str, Any]) -> str:
    """JSON with one line for each row and each other entry."""
    lines = [f"  {json.dumps(name)}: {json.dumps(part)}" for name, part in found.items() if name != "rows"]
    rows = ",\n".join(f"    {json.dumps(row)}" for row in found["rows"])
    return "{\n" + ",\n".join([*lines, f'  "rows": [\n{rows}\n  ]']) + "\n}\n"
