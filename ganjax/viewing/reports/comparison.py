"""comparison.html and comparison.png: several runs side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganjax.system.errors import UserError
from ganjax.viewing import style
from ganjax.viewing.curves import LOSSES, plot_curves, shown_range
from ganjax.viewing.reports import charts, pictures
from ganjax.viewing.reports.evaluation import Score, read_evaluation
from ganjax.viewing.reports.folder import Run, mapping, number, read_run
from ganjax.viewing.reports.pages import save_page
from ganjax.viewing.saving import save_figure

MOST = 12  # runs in one comparison
COLUMNS = 4  # runs in a row of the picture


def save_comparison(
    folders: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]
) -> tuple[Path, Path]:
    """Write `comparison.html` and `comparison.png` into the folder `out`: pictures, curves, settings, scores.

    Args:
        folders: of 2 to 12 runs, in the order in which they are shown.
        out: made if it does not exist.

    Returns:
        The paths of the page and of the picture.

    Raises:
        UserError: there are fewer or more runs, one is given twice, or a folder does not hold a run.
        OSError: a file cannot be written.
    """
    if not 2 <= len(folders) <= MOST:
        raise UserError(f"2 to {MOST} runs can be compared, not {len(folders)}")
    names = names_of([Path(folder) for folder in folders])
    runs = dict(zip(names, map(read_run, folders), strict=True))
    differing, common = settings_of(list(runs.values()))
    scores = scores_of(list(runs.values()))
    shared = [run.metrics for run in runs.values() if run.metrics]
    page = save_page(
        Path(out) / "comparison.html",
        "comparison.html",
        runs={
            name: {
                "title": run.title,
                "final": _final(run),
                "charts": charts.charts(run.metrics, shared) if run.metrics else [],
            }
            for name, run in runs.items()
        },
        differing=differing,
        common=common,
        scores=scores,
        has_floors=any(floor is not None for row in scores for _, floor in row["cells"]),
    )
    return page, _save_picture(Path(out) / "comparison.png", runs)


def names_of(folders: Sequence[Path]) -> list[str]:
    """A name for each run: that of its folder, with as many of the parent folders as make it unique.

    Raises:
        UserError: a run is given twice.
    """
    resolved = [folder.resolve() for folder in folders]
    for i, folder in enumerate(resolved):
        if folder in resolved[:i]:
            raise UserError(f"{folders[i]} is given twice: give runs that differ")
    depth = 1
    while len({folder.parts[-depth:] for folder in resolved}) < len(resolved):
        depth += 1
    return [str(Path(*folder.parts[-depth:])) for folder in resolved]


def settings_of(runs: Sequence[Run]) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """The settings that differ, with each run's value (a dash where it has none), and the common settings."""
    tables = [
        {
            "experiment": run.manifest.get("experiment"),
            **run.settings,
            "steps done": run.manifest.get("steps_done"),
            **{f"data: {name}": value for name, value in mapping(run.manifest.get("data")).items()},
        }
        for run in runs
    ]
    names = list(dict.fromkeys(name for table in tables for name in table))
    values = {name: [table.get(name, "–") for table in tables] for name in names}
    differing = {name: each for name, each in values.items() if any(value != each[0] for value in each)}
    return differing, {name: each[0] for name, each in values.items() if name not in differing}


def scores_of(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row for each score: `label`, `about`, `better`, and in `cells` the value and floor of every run."""
    rows: dict[str, dict[str, Any]] = {}
    for i, run in enumerate(runs):
        own = mapping(run.manifest.get("scores"))
        scores = [
            Score(name, name.replace("_", " "), "", number(value), None, "–") for name, value in own.items()
        ]
        evaluation = read_evaluation(run.evaluation)
        scores += evaluation.scores if evaluation else []
        for score in scores:
            empty = {"label": score.label, "about": score.about, "better": score.better}
            row = rows.setdefault(score.name, {**empty, "cells": [(None, None)] * len(runs)})
            row["cells"][i] = (score.value, score.floor)
    return list(rows.values())


def _final(run: Run) -> pictures.Picture | None:
    path = run.picture("samples/final.png")
    return None if path is None else pictures.exact(path)


def _save_picture(path: Path, runs: Mapping[str, Run]) -> Path:
    """The runs' final pictures, and below each its losses; all have the same axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(runs), COLUMNS)
    lines = -(-len(runs) // columns)
    figure = Figure(figsize=(3.6 * columns, 5.9 * lines + 0.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=[3.6, 2.3] * lines)
    drawn: list[Any] = []
    for i, (name, run) in enumerate(runs.items()):
        above, below = axes[2 * (i // columns) : 2 * (i // columns) + 2, i % columns]
        above.set_title(name.replace("$", r"\$"), fontsize=11)  # Matplotlib would read $ as a formula
        final = run.picture("samples/final.png")
        pixels = final and pictures.pixels_of(final)
        if pixels is not None:
            above.imshow(pixels, interpolation="antialiased")
            above.set_anchor("N")
        losses = [column for column in LOSSES if column in run.metrics]
        if losses:
            plot_curves(run.metrics, ax=below, columns=losses)
            below.get_legend().remove()
            drawn.append((below, run.metrics, losses))
    for ax in axes.flat:
        if not ax.lines:
            ax.set_axis_off()
    if drawn:
        _share_axes(drawn)
        figure.legend(
            handles=drawn[0][0].get_lines()[1::2], loc="outside lower center", ncol=2, frameon=False
        )
    return save_figure(path, figure)


def _share_axes(drawn: Sequence[tuple[Any, Mapping[str, np.ndarray], Sequence[str]]]) -> None:
    values = np.concatenate([metrics[column] for _, metrics, losses in drawn for column in losses])
    finite = values[np.isfinite(values)]
    first = min(ax.get_xlim()[0] for ax, _, _ in drawn)
    last = max(ax.get_xlim()[1] for ax, _, _ in drawn)
    for ax, _, _ in drawn:
        ax.set_xlim(first, last)
        if len(finite):
            ax.set_ylim(*shown_range(finite))
    drawn[0][0].set_ylabel("loss", color=style.BLACK)
