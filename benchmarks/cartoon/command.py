"""Which training recipe draws the best faces: `python -m benchmarks recipes [--seconds 40] [--seeds 3]`.

Every recipe is trained for the same time. First one of its steps is timed (the fastest of several); the given
time divided by this gives the number of steps for each seed. So slow recipes have no advantage, and other
programs on the machine do not change the result.

Finished runs and their scores are kept in --runs and used again, also after the command was stopped.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks import machine, tables
from benchmarks.cartoon import faces
from ganjax.experiments import EXPERIMENTS
from ganjax.state import init_state
from ganjax.stateless import without_values
from ganjax.system.compilation_cache import keep_compilations
from ganjax.system.errors import UserError
from ganjax.system.process import keep_freed_memory
from ganjax.training.chunks import capacity_for, compile_chunk

FAMILIES: dict[str, dict[str, Any]] = {
    "BCE + SN": {
        "loss": "cross-entropy", "penalties": "none", "normalization": "spectral", "b1": 0.5, "b2": 0.999,
        "learning_rate": 5e-4,
    },
    "hinge + R1": {"loss": "hinge", "penalties": "r1"},
    "RpGAN + R1 + R2": {},
}  # fmt: skip
"""The settings that differ from those of `cartoon`. Adam's settings are those of the papers."""

DIFF_AUGMENT = {"augment": "color,translation,cutout"}
WIDTHS = {
    "narrow": {"width": 16, "discriminator_width": 12},
    "wide": {"width": 40, "discriminator_width": 24},
}


def variants() -> dict[str, dict[str, Any]]:
    """The settings of each recipe by its name; "experiment" is `cartoon` if it is missing."""
    found: dict[str, dict[str, Any]] = {"original-cartoon": {"experiment": "original-cartoon"}}
    for family, settings in FAMILIES.items():
        for augmentation, more in (("", {}), (", DiffAugment", DIFF_AUGMENT)):
            found[f"{family}{augmentation}"] = settings | more
            norm = {"none": "batch", "spectral": "spectral+batch"}[settings.get("normalization", "none")]
            found[f"{family}{augmentation}, BatchNorm in D"] = settings | more | {"normalization": norm}
    for width, settings in WIDTHS.items():
        found[f"RpGAN + R1 + R2, {width}"] = settings
    return found


def main(words: Sequence[str]) -> int:
    """Train, score, and write `recipes.csv` and `README.md` to --out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recipes", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=40.0, help="training time of each run in seconds (default 40)"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds for each recipe (default 3)")
    parser.add_argument("--n", type=int, default=2000, help="number of faces from each run (default 2000)")
    parser.add_argument("--only", help="run only recipes whose name contains this text")
    parser.add_argument("--runs", type=Path, default=Path("runs/recipes"), help="folder for the runs")
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results/recipes"), help="folder for the table"
    )
    asked = parser.parse_args(words)
    chosen = {name: each for name, each in variants().items() if not asked.only or asked.only in name}
    if asked.seconds <= 0 or asked.seeds < 1 or asked.n < 100 or not chosen:
        raise UserError(
            "--seconds must be more than 0, --seeds at least 1, --n at least 100, and --only part of a name"
        )
    keep_freed_memory(one_arena=True)
    keep_compilations()
    lengths = {name: _length(asked.runs, name, each, asked.seconds) for name, each in chosen.items()}
    for seed in range(asked.seeds):  # all recipes with one seed first, so that an early stop has all of them
        for name, settings in chosen.items():
            _train(_folder(asked.runs, name, seed), settings, lengths[name]["steps"], seed)
    rows = []
    score = functools.cache(faces.Scores)
    for name in chosen:
        for seed in range(asked.seeds):
            both = _scores(_folder(asked.runs, name, seed), asked.n, score)
            for ema in (True, False):
                scores = both["ema" if ema else "last"]
                rows.append({"recipe": name, "seed": seed, "ema": ema, **lengths[name], **scores})
    _write(asked.out, rows, asked)
    return 0


def _folder(runs: Path, name: str, seed: int) -> Path:
    letters = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return runs / f"{'-'.join(filter(None, letters.split('-')))}-seed-{seed}"


def _length(runs: Path, name: str, settings: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Milliseconds of a step of this recipe, and the number of steps in the given time."""
    path = _folder(runs, name, 0).with_suffix(".json")
    if path.exists():
        return json.loads(path.read_text())
    settings = dict(settings)
    experiment = EXPERIMENTS[settings.pop("experiment", "cartoon")](**settings)
    without_values(lambda: experiment.gan)
    source, _ = experiment.load(progress=False)
    source = jax.device_put(source)
    chunk = compile_chunk(experiment.gan, experiment.batch, capacity_for(experiment.steps, experiment.batch))
    state = jax.jit(init_state, static_argnums=0)(experiment.gan, jax.random.key(0))
    times = []
    for count in (1, *[3] * 12):
        before = time.perf_counter()
        state, _ = jax.block_until_ready(chunk(state, source, jax.random.key(1), count))
        times.append((time.perf_counter() - before) / count)
    length = {"ms_a_step": 1000 * min(times), "steps": round(seconds / min(times))}
    print(f"{name}: {length['ms_a_step']:.1f} ms per step, {length['steps']} steps", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(length))
    return length


def _train(folder: Path, settings: Mapping[str, Any], steps: int, seed: int) -> None:
    manifest = folder / "manifest.json"
    if manifest.exists() and json.loads(manifest.read_text())["status"] == "finished":
        return
    settings = dict(settings)
    experiment = settings.pop("experiment", "cartoon")
    words = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "ganjax", "train", experiment, *words]
    command += [f"--steps={steps}", f"--seed={seed}", "--picture-every=0", f"--out={folder}", "--quiet"]
    command += ["--overwrite"] if folder.exists() else []
    if subprocess.run(command, check=False).returncode:
        raise UserError(f"this command failed: {' '.join(command)}")


def _scores(folder: Path, n: int, score: Callable[[int], faces.Scores]) -> dict[str, dict[str, float]]:
    """The scores of the averaged generator ("ema") and of the last weights ("last")."""
    path = folder.with_name(f"{folder.name}-{n}-faces.json")
    if path.exists():
        return json.loads(path.read_text())
    both = {name: score(n)(folder, ema=name == "ema") for name in ("ema", "last")}
    print(folder.name, both, flush=True)
    path.write_text(json.dumps(both))
    return both


def _write(out: Path, rows: Sequence[Mapping[str, Any]], asked: argparse.Namespace) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with (out / "recipes.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    scores = list(faces.MEANINGS)
    body = []
    for name in dict.fromkeys(row["recipe"] for row in rows):
        for ema in (True, False):
            chosen = [row for row in rows if row["recipe"] == name and row["ema"] == ema]
            cells = [_mean_and_spread([row[score] for row in chosen]) for score in scores]
            time_and_steps = [f"{chosen[0]['ms_a_step']:.0f}", str(chosen[0]["steps"])]
            body.append([name, "yes" if ema else "no", *time_and_steps, *cells])
    header = ["recipe", "EMA", "ms per step", "steps", *scores]
    table = tables.markdown(header, body, right=header[1:])
    command = f"python -m benchmarks recipes --seconds {asked.seconds:g} --seeds {asked.seeds} --n {asked.n}"
    text = [
        "# Recipes for cartoon faces",
        f"`{command}`",
        f"{machine.sentence(machine.describe())}; JAX {jax.__version__}. Each run has as many steps as take "
        f"{asked.seconds:g} s on an otherwise idle machine. Means and standard deviations over {asked.seeds} "
        f"seeds, with {asked.n} faces from each.",
        "\n".join(f"- {score}: {meaning}" for score, meaning in faces.MEANINGS.items()),
        table,
    ]
    (out / "README.md").write_text("\n\n".join(text) + "\n")
    print(*text, sep="\n\n")


def _mean_and_spread(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3g}" if len(values) > 1 else ""
    return f"{np.mean(values):.3g}{spread}"
