"""One short run in a process: `python -m benchmarks.reproducibility.small_run SETTINGS FOLDER`.

Trains an experiment with SETTINGS, the JSON of a `SmallRun`, and prints one line of JSON: `digests` of the
state at the steps of `digest_steps(steps)`, `scores`, `threads` (counted in XLA's pool) and `versions`. The
states after the first and the last step are written to FOLDER as `1.npz` and `last.npz`, arrays by path.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import jax

    from ganjax.datasets.batches import Source
    from ganjax.state import GANState

Train = Callable[["GANState", int], "GANState"]


@dataclasses.dataclass(frozen=True)
class SmallRun:
    """What is trained, and how its steps are computed.

    Attributes:
        experiment, seed, steps: as in `ganjax train`.
        form: "usual": with the chunk that `fit` uses; "compiled" or "queued": with this form of it; "jitted":
            with calls of `jit(train_step)`, batches fetched under `jit`; "fetched eagerly": the same without
            `jit` for the batches; "population": with a chunk for many states at once; "mapped": the same with
            one state after another.
        members: seeds of a population in their order; `seed` is the one whose state is reported.
        longest: largest number of steps in a chunk; 0: from one digest to the next.
        capacity: number of steps for which a chunk is compiled; 0: that of `fit`.
        processors: number of processors that it may use (Linux only); 0: all.
        keep_freed_memory: set the allocator as `ganjax train` does without `--stock-allocator`.
        compilations: folder of the compilation cache, or None for none.
    """

    experiment: str
    seed: int = 0
    steps: int = 100
    form: Literal["usual", "compiled", "queued", "jitted", "fetched eagerly", "population", "mapped"] = (
        "usual"
    )
    members: tuple[int, ...] = ()
    longest: int = 0
    capacity: int = 0
    processors: int = 0
    keep_freed_memory: bool = True
    compilations: str | None = None


def digest_steps(steps: int) -> list[int]:
    """The steps at which digests are computed: 0, 1, 2, 5, and every tenth of the run."""
    return sorted(
        {0, *(step for step in (1, 2, 5) if step < steps), *range(0, steps + 1, max(1, steps // 10)), steps}
    )


def main(settings: str, folder: Path) -> None:
    """Train, print the results, write the arrays."""
    run = SmallRun(**json.loads(settings))
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  (Keras would import it if it is installed)
    experiment = build(run, run.seed)
    if run.processors:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: run.processors])
    if run.keep_freed_memory:
        from ganjax.system.process import keep_freed_memory

        keep_freed_memory(one_arena=experiment.large_temporaries)
    if run.compilations:
        from ganjax.system.compilation_cache import keep_compilations

        keep_compilations(Path(run.compilations))

    import jax
    import numpy as np

    from ganjax import state_digest, state_to_arrays
    from ganjax.system.environment import versions

    source, score_key, state, train = prepare(run, experiment)
    digests, done = {}, 0
    for stop in digest_steps(run.steps):
        while done < stop:
            count = min(stop - done, run.longest or stop)
            state, done = train(state, count), done + count
        one = jax.tree.map(lambda leaf: leaf[run.members.index(run.seed)], state) if run.members else state
        digests[stop] = state_digest(one)
        if stop in (1, run.steps):
            name = "1.npz" if stop == 1 else "last.npz"
            np.savez(folder / name, allow_pickle=False, **state_to_arrays(one))
    scores = experiment.score(one, source, score_key) or _statistics(experiment, one, score_key)
    print(json.dumps({"digests": digests, "scores": scores, "threads": _threads(), "versions": versions()}))


def build(run: SmallRun, seed: int) -> Any:
    """The experiment, with few pictures if it has a number of pictures."""
    from ganjax.experiments import EXPERIMENTS

    kind = EXPERIMENTS[run.experiment]
    few = {"images": 64} if "images" in {field.name for field in dataclasses.fields(kind)} else {}
    return kind(seed=seed, steps=run.steps, **few)


def prepare(run: SmallRun, experiment: Any) -> tuple[Source, jax.Array, GANState, Train]:
    """`(source, score_key, state, train)`; the state of a population is that of all its members."""
    import jax
    import jax.numpy as jnp

    import ganjax
    from ganjax.training import chunks
    from ganjax.training.loop import initial_state

    gan, batch = experiment.gan, experiment.batch
    capacity = run.capacity or chunks.capacity_for(run.steps, batch)

    def inputs(seed: int) -> tuple[GANState, Source, jax.Array, jax.Array]:
        init_key, data_key, _, score_key = jax.random.split(jax.random.key(seed), 4)
        source, _ = build(run, seed).load(False)
        return initial_state(experiment, init_key), source, data_key, score_key

    state, source, data_key, score_key = inputs(run.seed)
    if run.form in ("jitted", "fetched eagerly"):
        step = jax.jit(ganjax.train_step, static_argnums=0)
        fetch = jax.jit(source.fetch, static_argnums=1) if run.form == "jitted" else source.fetch
        plan = source.plan(data_key, 0, run.steps, batch)

        def train(state: GANState, count: int) -> GANState:
            for i in range(int(state.step), int(state.step) + count):
                state, _ = step(gan, state, fetch(plan[i], batch))
            return state

        return source, score_key, state, train

    if not run.members:
        forms = {"compiled": chunks._compiled_chunk, "queued": chunks._queued_chunk}
        chunk = forms.get(run.form, chunks.compile_chunk)(gan, batch, capacity)
        return source, score_key, state, lambda state, count: chunk(state, source, data_key, count)[0]

    each = [inputs(seed) for seed in run.members]
    states, sources, data_keys = (
        jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts) for parts in list(zip(*each, strict=True))[:3]
    )
    if run.form == "population":
        chunk = chunks.compile_population(gan, batch, capacity, one_source=False)
    else:
        single = chunks._compiled_chunk(gan, batch, capacity)

        def mapped(states: Any, sources: Any, data_keys: Any, count: Any) -> Any:
            members = (states, sources, data_keys)
            return jax.lax.map(lambda member: single(member[0], member[1], member[2], count), members)

        chunk = jax.jit(mapped)
    return source, score_key, states, lambda states, count: chunk(states, sources, data_keys, count)[0]


def _statistics(experiment: Any, state: GANState, key: jax.Array) -> dict[str, float]:
    """Mean and standard deviation of 64 samples, for experiments without scores."""
    from ganjax import generate

    samples = generate(experiment.gan, state, key, 64)
    return {"generated_mean": float(samples.mean()), "generated_std": float(samples.std())}


def _threads() -> int | None:
    """Number of threads of XLA's pool within operations, or None if the system does not give their names."""
    tasks = list(Path("/proc/self/task").glob("*/comm"))
    return sum(task.read_text().startswith("tf_XLAEigen") for task in tasks) or None


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
