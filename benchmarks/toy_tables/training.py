"""Training of toy runs as by `ganjax train NAME --seed S`, with one compiled program for many seeds."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.toy_tables.measures import keys, landscape_of
from ganjax import sampling, stateless
from ganjax.datasets.batches import Source
from ganjax.experiments import EXPERIMENTS
from ganjax.export import state_digest
from ganjax.state import GANState
from ganjax.stateless import without_values
from ganjax.system.progress import Clock
from ganjax.training.chunked_run import ChunkPlan, run_chunks
from ganjax.training.chunks import capacity_for, compile_chunk, compile_population
from ganjax.training.loop import initial_state

SURFACE = 120  # points along each side of the grid of the discriminator's logits


@dataclasses.dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes:
        samples: float32 `(n, dim)`, of the averaged generator.
        facts: JSON values: `seed`, `steps`, `train_seconds`, `diverged_at` (a step from 1, or None), and
            `state_sha256` as in the manifest of the same run.
        surface: D's logits on a square grid over the landscape's extent, float32 `(SURFACE, SURFACE)`, lowest
            row first; None if D's input is not one point of the plane.
    """

    samples: np.ndarray
    facts: dict[str, Any]
    surface: np.ndarray | None = None


class Trainer:
    """Trains one recipe on one landscape.

    Args:
        group: the JSON of a `plan.Group`.
        samples: number of samples drawn from each run.
        together: number of seeds that are trained as one population; with 1 they are trained one after
            another, and the results are those of `ganjax train` bit for bit.
    """

    def __init__(self, group: Mapping[str, Any], samples: int, together: int = 1) -> None:
        self.experiment: Any = EXPERIMENTS[group["experiment"]](**group["settings"])
        self.extent = landscape_of(group["landscape"]).extent
        self.together = together
        self.gan = gan = without_values(lambda: self.experiment.gan)
        batch, steps = self.experiment.batch, self.experiment.steps
        self.capacity = capacity_for(steps, batch * together)
        self.chunk: Any = (
            compile_chunk(gan, batch, self.capacity)
            if together == 1
            else compile_population(gan, batch, self.capacity, one_source=True)
        )
        self.source: Source = jax.device_put(self.experiment.load(False)[0])
        self._generate = jax.jit(lambda state, key: sampling.generate(gan, state, key, samples))
        self._discriminate = jax.jit(lambda state, x: sampling.discriminate(gan, state, x))

    @functools.cached_property
    def program(self) -> str:
        """A digest of what is trained: the chunk's program before XLA, and the initial state of seed 0."""
        state, data_key = self._begin(range(self.together))
        text = self.chunk.lower(state, self.source, data_key, 1).as_text()
        initial = state_digest(initial_state(self.experiment, keys(0).init))
        return hashlib.sha256(f"{text}{initial}".encode()).hexdigest()

    def compile(self) -> float:
        """Compile without training a step; returns the seconds that it took."""
        clock = Clock()
        with clock("compile") as watch:
            state, data_key = self._begin(range(self.together))
            jax.block_until_ready(self.chunk(state, self.source, data_key, 0))
        return watch.seconds

    def train(self, seeds: Sequence[int]) -> list[Trained]:
        """Train the runs of `seeds`, which must be as many as `together`.

        A run that diverges ends with its last finite state.
        """
        state, data_key = self._begin(seeds)
        chunk_plan = ChunkPlan(0, self.experiment.steps, (), self.capacity)
        clock, earlier = Clock(), None
        ended: dict[int, tuple[GANState, int]] = {}
        for result in run_chunks(self.chunk, state, self.source, data_key, chunk_plan, clock):
            finite = result.rows["finite"].reshape(result.step - result.first, -1) > 0
            for i in range(len(seeds)):
                if i not in ended and not finite[:, i].all():
                    # The update to a state may have overflowed, so it counts only if the next step is finite.
                    good = result.before if finite[0, i] or earlier is None else earlier
                    ended[i] = self._member(good, i), result.first + int(np.argmin(finite[:, i])) + 1
            state, earlier = result.state, result.before
            if len(ended) == len(seeds):
                break
        seconds = sum(clock.seconds.values()) / len(seeds)
        found = []
        for i, seed in enumerate(seeds):
            final, diverged_at = ended.get(i) or (self._member(state, i), None)
            facts = {
                "seed": seed,
                "steps": self.experiment.steps,
                "train_seconds": seconds,
                "diverged_at": diverged_at,
                "state_sha256": state_digest(final),
            }
            drawn = np.asarray(self._generate(final, keys(seed).score))
            found.append(Trained(drawn, facts, self._surface(final)))
        return found

    def _begin(self, seeds: Sequence[int]) -> tuple[GANState, jax.Array]:
        states = [initial_state(self.experiment, keys(seed).init) for seed in seeds]
        data_keys = [keys(seed).data for seed in seeds]
        if self.together == 1:
            return states[0], data_keys[0]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states), jnp.stack(data_keys)

    def _member(self, state: GANState, i: int) -> GANState:
        return state if self.together == 1 else jax.tree.map(lambda leaf: leaf[i], state)

    def _surface(self, state: GANState) -> np.ndarray | None:
        if stateless.input_shape(self.gan.discriminator) != (2,):  # its input is a pack, or not in the plane
            return None
        line = np.linspace(-self.extent, self.extent, SURFACE, dtype=np.float32)
        points = np.stack([each.ravel() for each in np.meshgrid(line, line)], axis=1)
        return np.asarray(self._discriminate(state, jnp.asarray(points))).reshape(SURFACE, SURFACE)


class PerfectSampler:
    """Samples of the real distribution itself, with the methods of a `Trainer`."""

    def __init__(self, group: Mapping[str, Any], samples: int, together: int = 1) -> None:
        self.sample, self.samples = landscape_of(group["landscape"]).sample, samples

    @functools.cached_property
    def program(self) -> str:
        """A digest of seed 0's samples."""
        return hashlib.sha256(self._draw(0).tobytes()).hexdigest()

    def compile(self) -> float:
        """Nothing to compile."""
        return 0.0

    def train(self, seeds: Sequence[int]) -> list[Trained]:
        """Samples for each seed, different from those with which they will be compared."""
        return [
            Trained(self._draw(seed), {"seed": seed, "steps": 0, "train_seconds": 0.0, "diverged_at": None})
            for seed in seeds
        ]

    def _draw(self, seed: int) -> np.ndarray:
        return np.asarray(self.sample(keys(seed).perfect, self.samples))


def write(file: str, run: Trained) -> None:
    """Write `samples`, and `surface` if there is one, to a .npz file."""
    surface = {} if run.surface is None else {"surface": run.surface}
    np.savez(file, allow_pickle=False, samples=run.samples, **surface)
