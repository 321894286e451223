"""Sweeps: rows for every value and seed, with scores of samples, as a table that pandas reads."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from population_gans import BATCH, STEPS, VALUES, family

from ganjax import populations
from ganjax.datasets import toy
from ganjax.populations.sweep import scores_of

SWEPT = {"learning_rate": [0.01, 0.03], "weight": [1.0], "scale": [2.0, 1.0], "ema_decay": [0.5]}
OPTIONS = {"data": toy.ring, "steps": STEPS, "batch": BATCH, "group": 8}


class Moments(NamedTuple):
    mean: jax.Array
    spread: jax.Array


def moments(samples):
    return Moments(jnp.mean(samples), jnp.std(samples))


def with_numpy(samples):
    return {"mean": float(np.mean(samples)), "spread": float(np.std(np.asarray(samples)))}


def test_a_row_for_every_combination_and_seed(tmp_path):
    rows = populations.sweep(family, SWEPT, [4, 1], score=moments, samples=20, **OPTIONS)
    names = ["learning_rate", "weight", "scale", "ema_decay", "seed", "diverged_at", "mean", "spread"]
    assert [list(row) for row in rows] == [names] * 8
    grid = [(rate, scale, seed) for rate in (0.01, 0.03) for scale in (2.0, 1.0) for seed in (4, 1)]
    assert [(row["learning_rate"], row["scale"], row["seed"]) for row in rows] == grid
    assert all(type(row["spread"]) is float and type(row["seed"]) is int for row in rows)

    table = pandas.read_csv(populations.write_csv(tmp_path / "made" / "sweep.csv", rows))
    assert table.to_dict("records") == rows

    keys = jnp.stack([jax.random.key(row["seed"]) for row in rows])
    values = {name: [row[name] for row in rows] for name in VALUES}
    samples = populations.generate(populations.train(family, keys, values, **OPTIONS), 20)
    assert [row["mean"] for row in rows] == pytest.approx(np.asarray(samples).mean(axis=(1, 2)), rel=1e-4)


@settings(max_examples=4)  # each compiles
@given(members=st.integers(1, 4), n=st.integers(2, 5))
def test_scores_are_those_of_each_traced_or_not(members, n):
    samples = jax.random.normal(jax.random.key(n), (members, n, 2))
    traced, plain = scores_of(moments, samples), scores_of(with_numpy, samples)
    assert len(traced) == len(plain) == members
    for one, other, own in zip(traced, plain, samples, strict=True):
        assert one == pytest.approx(other, rel=1e-5)
        assert one["mean"] == pytest.approx(float(jnp.mean(own)), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(("values", "seeds"), [({"learning_rate": []}, [0]), ({"learning_rate": [1.0]}, [])])
def test_nothing_to_sweep(values, seeds):
    with pytest.raises(ValueError, match="at least one seed, and one value"):
        populations.sweep(family, values, seeds, score=moments, **OPTIONS)


@pytest.mark.parametrize("rows", [[], [{"a": 1}, {"b": 1}]])
def test_what_is_no_table(rows, tmp_path):
    with pytest.raises(ValueError, match="same names"):
        populations.write_csv(tmp_path / "table.csv", rows)
    assert not list(tmp_path.iterdir())
