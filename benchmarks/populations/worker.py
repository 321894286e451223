"""A process that trains seeds, together or one after another.

It is started as `python -m benchmarks.populations.worker DEVICE` with "cpu" or "gpu". It reads JSON objects
from its standard input, one on each line, and answers each with one:

    {"do": "begin", "experiment": name, "settings": {...}, "steps": n, "seeds": n, "group": n, 0 or null}
                    -> {"compile_seconds": s, "group": n, "losses": [D's loss in the first step of each seed]}
    {"do": "run"}   -> {"seconds": from the seeds' keys to all trained states}
    {"do": "memory"} -> {"bytes": most used since "begin", "kind": "resident set" or "device"}

A group of n trains a population with n members at once; with null, `populations.train` chooses the group; 0
trains one seed after another with the program of a single run. The first line that it sends is
{"versions": {...}}; see also `benchmarks.workers`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from benchmarks import workers


def main(device: str) -> None:
    """Answer requests until the standard input ends."""
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  (Keras would import it if it is installed)

    def begin() -> tuple[dict[str, Any], workers.Answer]:
        from benchmarks.throughput.paths import jax_device
        from ganjax.system.environment import versions

        jax_device.describe(device)
        return {"versions": versions()}, Worker().answer

    workers.serve(begin)


class Worker:
    """Trains the same seeds repeatedly, each time from their keys."""

    way: Any = None
    steps = 0

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request, as JSON values."""
        match question["do"]:
            case "begin":
                return self._begin(question)
            case "run":
                begun = time.perf_counter()
                self.way.train(self.steps)
                return {"seconds": time.perf_counter() - begun}
            case "memory":
                from benchmarks.throughput.paths import jax_device, protocol

                on_device = jax_device.peak_memory()
                if on_device is None:
                    return {"bytes": protocol.resident_set(), "kind": "resident set"}
                return {"bytes": on_device, "kind": "device"}
        raise ValueError(f"cannot do {question['do']!r}")

    def _begin(self, question: Mapping[str, Any]) -> dict[str, Any]:
        from benchmarks.throughput.paths import protocol
        from ganjax.experiments import EXPERIMENTS
        from ganjax.training.chunks import capacity_for

        experiment = EXPERIMENTS[question["experiment"]](**question["settings"])
        seeds, group = question["seeds"], question["group"]
        self.steps = question["steps"]
        if group == 0:
            self.way = OneAfterAnother(experiment, seeds, self.steps)
            steps = 1
        else:
            self.way = Together(experiment, seeds, group)
            # As many steps as a chunk has: a shorter run would compile a shorter chunk.
            steps = capacity_for(self.steps, experiment.batch * seeds)
        compile_seconds, losses = self.way.train(steps)
        protocol.settle()
        return {"compile_seconds": compile_seconds, "group": self.way.group, "losses": losses}


class OneAfterAnother:
    """Trains each seed as `ganjax train` does, with one program that is compiled once."""

    group = 0

    def __init__(self, experiment: Any, seeds: int, steps: int) -> None:
        import jax

        from ganjax.stateless import without_values
        from ganjax.training.chunks import capacity_for, compile_chunk

        self.experiment, self.seeds = experiment, seeds
        self.capacity = capacity_for(steps, experiment.batch)
        without_values(lambda: experiment.gan)
        self.chunk = compile_chunk(experiment.gan, experiment.batch, self.capacity)
        self.source = jax.device_put(experiment.load(False)[0])

    def train(self, steps: int) -> tuple[float, list[float]]:
        """Train all seeds; returns the seconds until the end of each first chunk, and the first losses."""
        import jax

        from benchmarks.toy_tables.measures import keys
        from ganjax.system.progress import Clock
        from ganjax.training.chunked_run import ChunkPlan, run_chunks
        from ganjax.training.loop import initial_state

        clock, losses = Clock(), []
        for seed in range(self.seeds):
            seed_keys = keys(seed)
            with clock("compile"):
                state = jax.block_until_ready(initial_state(self.experiment, seed_keys.init))
            chunk_plan = ChunkPlan(0, steps, (), self.capacity)
            for result in run_chunks(self.chunk, state, self.source, seed_keys.data, chunk_plan, clock):
                state = result.state
                if result.first == 0:
                    losses.append(float(result.rows["discriminator_loss"][0]))
            jax.block_until_ready(state)
        return clock.seconds["compile"], losses


class Together:
    """Trains all seeds as one population.

    Attributes:
        group: members that are trained at once; None before the first training, if that chooses it.
    """

    def __init__(self, experiment: Any, seeds: int, group: int | None) -> None:
        import jax
        import jax.numpy as jnp

        from ganjax.stateless import without_values

        self.experiment, self.group = experiment, group
        without_values(lambda: experiment.gan)
        self.keys = jnp.stack([jax.random.key(seed) for seed in range(seeds)])
        self.source = experiment.load(False)[0]

    def train(self, steps: int) -> tuple[float, list[float]]:
        """Train all seeds; returns the seconds until the end of the first chunk, and the first losses."""
        import jax

        from ganjax import populations

        found = populations.train(
            self.experiment.gan,
            self.keys,
            data=self.source,
            steps=steps,
            batch=self.experiment.batch,
            group=self.group,
        )
        jax.block_until_ready(found.state)
        self.group = found.group
        return found.timings["compile"], found.metrics["discriminator_loss"][:, 0].tolist()


if __name__ == "__main__":
    main(sys.argv[1])
