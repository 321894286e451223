"""The folder with the settings, weights and batches of a workload, the same for every path.

    spec.json                             settings, see `Work.spec`
    generator.keras, discriminator.keras  the two networks
    initial.npz                           initial weights and PRNG keys of all seeds
    batches.npy, latents.npy              real samples, and the latents of the checked steps
    PATH.npz                              results of a path, see `benchmarks.throughput.same_work`

It can be read with NumPy and the standard library, since the environment of the TensorFlow paths may lack
JAX.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CHECKED_STEPS = 20
BATCHES = 4  # real batches, used in turn
NETWORKS = ("generator", "discriminator")
AVERAGE = "average"  # the averaged generator, if a workload has one

ROUNDING = {"float32": 2.0**-19, "tf32": 2.0**-10, "bfloat16": 2.0**-7}
"""The relative error of a layer's output by rounding. It is one unit in the last place of the factors of
products. In float32, in which products are also summed, it is 16 units: the sum of n products, here hundreds
to thousands, has an error of about the root of n units."""


class Work:
    """The files of one workload in one precision.

    Attributes:
        folder: their folder.
        spec: `workload`, `precision`, `device` ("cpu" or "gpu"), `batch`, `seeds`, `population`,
            `latent_shape`, `latent_scale`, `learning_rate`, `beta_1`, `beta_2`, `epsilon`, `ema_decay`,
            `trained` (number of trained variables of each network) and `flops_per_step` (of all seeds).
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.spec: dict[str, Any] = json.loads((self.folder / "spec.json").read_text())

    @cached_property
    def batches(self) -> np.ndarray:
        """float32 `(BATCHES, batch, *sample_shape)`; step s trains on batch s modulo BATCHES."""
        return np.load(self.folder / "batches.npy", allow_pickle=False)

    @cached_property
    def latents(self) -> np.ndarray:
        """float32 `(seeds, CHECKED_STEPS, batch, *latent_shape)`."""
        return np.load(self.folder / "latents.npy", allow_pickle=False)

    @cached_property
    def initial(self) -> dict[str, np.ndarray]:
        """Arrays by name, `"generator/0"` and so on, each with a leading axis of seeds; and `"keys"`."""
        with np.load(self.folder / "initial.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    def initial_weights(
        self, network: str, seed: int | slice, *, perturbed: bool = False
    ) -> list[np.ndarray]:
        """The initial values of a network's variables, trained ones first, of one seed or of several.

        Perturbed ones are multiplied by 1 + `ROUNDING` or 1 - `ROUNDING`, chosen with a fixed seed.
        """
        weights = listed(self.initial, network)
        if perturbed:
            random, size = np.random.default_rng(0), ROUNDING[self.spec["precision"]]
            weights = [(w * (1 + size * random.choice([-1, 1], w.shape))).astype(w.dtype) for w in weights]
        return [w[seed] for w in weights]

    def model(self, network: str) -> Path:
        """The `.keras` file of a network."""
        return self.folder / f"{network}.keras"


def write(
    folder: Path,
    spec: Mapping[str, Any],
    batches: np.ndarray,
    latents: np.ndarray,
    weights: Mapping[str, Sequence[np.ndarray]],
    keys: np.ndarray,
) -> None:
    """Write all files except the models; arrays in `weights`, by network, have a leading axis of seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text(json.dumps(spec))
    np.save(folder / "batches.npy", batches)
    np.save(folder / "latents.npy", latents)
    np.savez(folder / "initial.npz", keys=keys, allow_pickle=False, **named(weights))


def named(networks: Mapping[str, Sequence[np.ndarray]]) -> dict[str, np.ndarray]:
    """Flatten lists of arrays by network: `{"generator": [a, b]}` becomes `{"generator/0": a, ...}`."""
    return {f"{name}/{i}": array for name, arrays in networks.items() for i, array in enumerate(arrays)}


def listed(arrays: Mapping[str, np.ndarray], network: str) -> list[np.ndarray]:
    """The list of arrays of a network from the result of `named`."""
    count = sum(name.startswith(f"{network}/") for name in arrays)
    return [arrays[f"{network}/{i}"] for i in range(count)]


class Outcome(NamedTuple):
    """Result of the checked steps for one seed: losses of G and D, `(steps, 2)`, and arrays by network."""

    losses: np.ndarray
    weights: Mapping[str, Sequence[np.ndarray]]


def stacked(seeds: Sequence[Outcome]) -> dict[str, np.ndarray]:
    """The outcomes of all seeds as arrays by name, with a leading axis of seeds."""
    weights = [named(outcome.weights) for outcome in seeds]
    return {name: np.stack([arrays[name] for arrays in weights]) for name in weights[0]} | {
        "losses": np.stack([outcome.losses for outcome in seeds])
    }
