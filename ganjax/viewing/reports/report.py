"""report.html: a page about one run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganjax.viewing.reports import charts, pictures
from ganjax.viewing.reports.evaluation import read_evaluation
from ganjax.viewing.reports.folder import Run, mapping, number, read_run, text
from ganjax.viewing.reports.pages import save_page

NAME = "report.html"

STATUSES = {
    "finished": "finished",
    "interrupted": "stopped before its last step",
    "diverged": "diverged",
    "running": "not finished",
}


def save_report(folder: str | os.PathLike[str], manifest: Mapping[str, Any] | None = None) -> Path:
    """Write `report.html` into a run's folder: settings, pictures, curves, scores, commands to reproduce it.

    The page is a single file of a few megabytes at most and needs no network. It depends only on the run's
    files, and not on times or machines named in them: equal runs have equal pages.

    Args:
        folder: the run's folder.
        manifest: at the end of training, the contents of the manifest that will be written. By default
            manifest.json is read, and the scores in evaluation.json are shown if there is one.

    Returns:
        The page's path.

    Raises:
        UserError: there is no run in `folder`.
        OSError: the page cannot be written.
    """
    run = read_run(folder, manifest)
    head, rows = charts.rows(run.metrics)
    return save_page(
        run.folder / NAME,
        "report.html",
        title=run.title,
        facts=facts(run),
        final=_picture(run, "samples/final.png"),
        frames=pictures.frames(run.frames),
        walks=_picture(run, "walks.png"),
        charts=charts.charts(run.metrics),
        table={"head": head, "rows": rows},
        scores=scores(run),
        evaluation=read_evaluation(run.evaluation),
        neighbours=_picture(run, text(run.evaluation.get("neighbours"))),
        settings=run.settings,
        origins=origins(run),
        commands=commands(run),
        digests=mapping(run.manifest.get("digests")),
    )


def facts(run: Run) -> dict[str, Any]:
    """The facts at the top of the page, by name."""
    manifest, settings = run.manifest, run.settings
    status, done, last = (manifest.get(name) for name in ("status", "steps_done", "steps"))
    steps = done if done == last else f"{done} of {last}"
    shown = manifest.get("selected_step")
    found = {
        "Experiment": manifest.get("experiment"),
        "Seed": settings.get("seed"),
        "Steps": steps,
        "Batch": settings.get("batch"),
        "Trained on": training_data(run),
        "Status": STATUSES.get(status, status) if isinstance(status, str) else None,
        "Step shown": shown if shown != done else None,
        "Reason": manifest.get("reason"),
    }
    return {name: value for name, value in found.items() if value is not None}


def training_data(run: Run) -> str:
    """Name and number of the training samples."""
    data = mapping(run.manifest.get("data"))
    name, count = data.get("name"), data.get("count")
    return f"{count} of {name}" if count is not None else str(name)


def origins(run: Run) -> dict[str, Any]:
    """What the run's result depends on besides its settings: data, latents, PRNG key; and its last state."""
    found = {f"data: {name}": value for name, value in mapping(run.manifest.get("data")).items()}
    found |= {f"latent: {name}": value for name, value in mapping(run.manifest.get("latent")).items()}
    for name, label in (("key", "PRNG key"), ("state_sha256", "SHA-256 of the last state")):
        if run.manifest.get(name) is not None:
            found[label] = run.manifest[name]
    return found


def scores(run: Run) -> dict[str, float]:
    """The experiment's own scores, by name."""
    found = mapping(run.manifest.get("scores"))
    return {name.replace("_", " "): value for name, value in found.items() if number(value) is not None}


def commands(run: Run) -> dict[str, str]:
    """The commands that reproduce the run, by their purpose."""
    manifest, settings = run.manifest, run.settings
    words = ["ganjax", "train", str(manifest.get("experiment"))]
    for name, value in settings.items():  # used if the manifest does not hold the command
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{name.replace('_', '-')}")
        elif value is not None:
            several = value if isinstance(value, list) else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, several)]
    command = manifest.get("command")
    train = command if isinstance(command, str) else shlex.join(words)
    steps, asked = manifest.get("steps"), settings.get("steps")
    if steps != asked and isinstance(steps, int):
        folder = f"runs/{manifest.get('experiment')}-{settings.get('seed')}"
        train += f"\nganjax resume {shlex.quote(folder)} --steps {steps}"
    return {
        "Train it again": train,
        "Train it again and compare the results bit for bit (in this run's folder)": "ganjax reproduce .",
    }


def _picture(run: Run, name: str) -> pictures.Picture | None:
    path = run.picture(name) if name else None
    return None if path is None else pictures.exact(path)
