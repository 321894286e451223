"""sweep: every combination of hyperparameters with every seed, as rows of a table."""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.populations.members import GANFamily
from ganjax.populations.population import Population, generate, train
from ganjax.system.files import atomic

Row = dict[str, Any]
Score = Callable[[jax.Array], Any]


def sweep(
    family: GANFamily,
    values: Mapping[str, Sequence[float]],
    seeds: Sequence[int],
    *,
    score: Score,
    samples: int = 2500,
    **options: Any,
) -> list[Row]:
    """Train every combination of `values` with every seed as one population, and score the samples of each.

    Args:
        family: as for `train`: a function of the hyperparameters in `values`, or a GAN if there are none.
        values: the numbers to try, for each hyperparameter.
        seeds: the same for each combination, which then have the same initial weights and batches.
        score: a function from samples `(samples, *sample_shape)` float32 to scalars by name, as a mapping or
            NamedTuple (`ganjax.metrics.mode_scores` with given centres). If it can be traced, it is compiled
            for all members; otherwise it is called with one NumPy array after another.
        samples: number of samples drawn from each averaged generator.
        **options: `data`, `steps`, `batch` and the others of `train`.

    Returns:
        A row for each run, combination by combination: the hyperparameters, "seed", "diverged_at" (the first
        step that was not finite, 0 for none), and the scores, as Python numbers.

    Raises:
        ValueError: no values or no seeds, or as `train`.
        TypeError: as `train`.
    """
    rows, population = trained(family, values, seeds, **options)
    return with_scores(rows, scores_of(score, generate(population, samples)))


def trained(
    family: GANFamily, values: Mapping[str, Sequence[float]], seeds: Sequence[int], **options: Any
) -> tuple[list[Row], Population]:
    """The rows of `sweep` without scores, and the population, with one member per row."""
    combinations = [
        dict(zip(values, each, strict=True)) | {"seed": seed}
        for each in itertools.product(*values.values())
        for seed in seeds
    ]
    if not combinations:
        raise ValueError("a sweep needs at least one seed, and one value of each hyperparameter")
    keys = jnp.stack([jax.random.key(row["seed"]) for row in combinations])
    columns = {name: np.asarray([row[name] for row in combinations]) for name in values}
    population = train(family, keys, columns, **options)
    for row, at in zip(combinations, population.diverged_at, strict=True):
        row["diverged_at"] = int(at)
    return combinations, population


def scores_of(score: Score, samples: jax.Array) -> list[dict[str, float]]:
    """`score` of the samples of each member, `(members, n, *sample_shape)`."""

    def named(x: Any) -> dict[str, Any]:
        scores = score(x)
        return dict(scores) if isinstance(scores, Mapping) else scores._asdict()

    try:
        jax.eval_shape(named, jax.ShapeDtypeStruct(samples.shape[1:], samples.dtype))
    except jax.errors.JAXTypeError:  # it needs concrete values, as NumPy does
        return [{name: float(x) for name, x in named(each).items()} for each in np.asarray(samples)]
    scores = jax.jit(lambda samples: jax.lax.map(named, samples))(samples)
    return [{name: float(x[i]) for name, x in scores.items()} for i in range(len(samples))]


def with_scores(rows: Sequence[Row], scores: Sequence[Mapping[str, float]]) -> list[Row]:
    """The rows with their scores added."""
    return [row | dict(its) for row, its in zip(rows, scores, strict=True)]


def write_csv(path: str | os.PathLike[str], rows: Sequence[Row]) -> Path:
    """Write rows as a CSV table with a header, atomically.

    Raises:
        ValueError: there are no rows, or their names differ.
        OSError: it cannot be written.
    """
    if not rows or any(row.keys() != rows[0].keys() for row in rows):
        raise ValueError("a table needs at least one row, and the same names in all")
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        temporary.write_text(text.getvalue())
    return path
