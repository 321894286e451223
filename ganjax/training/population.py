"""fit_population: one experiment with many seeds, trained at once where the networks allow it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ganjax.datasets.batches import Source
from ganjax.runs.checkpointer import CheckpointPolicy
from ganjax.runs.manifest import earlier_manifest, mismatch
from ganjax.runs.resuming import resume_together
from ganjax.runs.run_folder import RunFolder
from ganjax.state import GANState, init_state
from ganjax.system.files import remove_unfinished
from ganjax.system.lock import Lock
from ganjax.system.progress import Clock, tell
from ganjax.training.chunked_run import ChunkPlan, ChunkResult, run_chunks
from ganjax.training.chunks import capacity_for, compile_population, has_convolutions, same_under_vmap
from ganjax.training.experiment import Experiment
from ganjax.training.loop import carry_out, fit, initial_state, stops
from ganjax.training.recorder import DivergedError
from ganjax.training.session import Outcome, RunInputs, Session

MOST_BYTES = 2**31  # of all states together, which stand in memory about four times


@dataclasses.dataclass(frozen=True)
class Diverged:
    """How a run ended that diverged: in which step, from 1, and in words."""

    step: int
    reason: str


def fit_population(
    experiments: Sequence[Experiment],
    folders: Sequence[RunFolder],
    *,
    resume: bool = False,
    checkpoint_policy: CheckpointPolicy = CheckpointPolicy(),  # noqa: B008  (frozen)
    quiet: bool = False,
    leave: Callable[[int], None] | None = None,
) -> list[Outcome | Diverged]:
    """Train all of `experiments`, the same but for their seeds, and write what each leaves into its folder.

    They are stepped as one, over several devices where there are some, and stopped as one; a member that
    diverges is closed as it last was good, and the others go on. A member is its single run but for rounding:
    its bits depend on how many members there are, and on nothing else of them. Where the networks do not
    allow this (`what_keeps_apart`), one run follows the other, each as `fit` alone would train it.

    Args:
        experiments: with seeds of their own.
        folders: for each its folder, as `fit` asks for it.
        resume: go on from the latest step all members have a whole checkpoint of, or from the beginning
            where there is none. Those that have diverged stay as they are.
        keeping, quiet, leave: as in `fit`.

    Returns:
        How each ended, in their order; where one followed the other and a signal came, of those that had
        begun.

    Raises:
        UserError: another process is running in one of the folders, or what is there is another run.
        OSError: something cannot be written. What was safe stays safe.
    """
    say = (lambda text: None) if quiet else tell
    clock, seeds, runs = Clock(), [experiment.seed for experiment in experiments], []
    apart = what_keeps_apart(experiments)
    if not apart:
        with clock("data"):
            runs = [RunInputs(each, not quiet and each is experiments[0], seeds) for each in experiments]
        apart = None if _can_be_stacked([run.source for run in runs]) else "their data are of several forms"
    if apart:
        say(f"training one after another: {apart}")
        return _one_after_another(experiments, folders, resume, checkpoint_policy, quiet, leave)
    with contextlib.ExitStack() as locks:
        for folder in folders:
            locks.enter_context(Lock(folder.path))
            remove_unfinished(folder.path)
            if not resume:
                folder.make_room()
        return _train(runs, folders, resume, checkpoint_policy, quiet, leave, say, clock)


def what_keeps_apart(experiments: Sequence[Experiment]) -> str | None:
    """Why these runs are not trained at once, in words; None if they can be."""
    gan, key = experiments[0].gan, jax.random.key(0)
    if has_convolutions(gan):
        return "convolutions are slow with many kernels at once"
    if not same_under_vmap(key):
        return f"keys of kind {jax.random.key_impl(key)} draw other numbers for many runs at once"
    state = jax.eval_shape(lambda: init_state(gan, key))
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    if size * len(experiments) > MOST_BYTES:
        return f"{len(experiments)} states of {size / 2**20:.0f} MiB are too many to hold at once"
    return None


def _one_after_another(
    experiments: Sequence[Experiment],
    folders: Sequence[RunFolder],
    resume: bool,
    checkpoint_policy: CheckpointPolicy,
    quiet: bool,
    leave: Callable[[int], None] | None,
) -> list[Outcome | Diverged]:
    ended: list[Outcome | Diverged] = []
    for experiment, folder in zip(experiments, folders, strict=True):
        try:
            outcome = fit(
                experiment,
                folder,
                resume=resume,
                checkpoint_policy=checkpoint_policy,
                quiet=quiet,
                leave=leave,
            )
        except DivergedError as error:
            ended.append(Diverged(error.step, str(error)))
            continue
        ended.append(outcome)
        if outcome.stopped_by:
            break
    return ended


def _train(
    runs: Sequence[RunInputs],
    folders: Sequence[RunFolder],
    resume: bool,
    checkpoint_policy: CheckpointPolicy,
    quiet: bool,
    leave: Callable[[int], None] | None,
    say: Callable[[str], None],
    clock: Clock,
) -> list[Outcome | Diverged]:
    experiment = runs[0].experiment
    ended: dict[int, Outcome | Diverged] = {}
    if resume:
        for i, (run, folder) in enumerate(zip(runs, folders, strict=True)):
            ended |= _diverged_before(i, run, folder)
    going = [i for i in range(len(runs)) if i not in ended]
    if not going:
        return list(ended.values())
    found = None
    if resume:
        found = resume_together(
            [folders[i] for i in going],
            experiment.gan,
            [runs[i].description for i in going],
            say,
        )
    if not found:
        going = list(range(len(runs)))
    # Who has diverged keeps a place, since bits depend on how many there are: any state will do in it.
    states = [initial_state(experiment, run.init_key) for run in runs]
    for i, resumed in zip(going, found or [], strict=False):
        states[i] = resumed.state
    sessions = [
        Session(runs[i], folders[i], experiment.steps, checkpoint_policy, say, clock, resumed)
        for i, resumed in zip(going, found or [None] * len(going), strict=True)
    ]
    chunk_plan = ChunkPlan(
        first=found[0].step if found else 0,
        last=experiment.steps,
        every=stops(experiment, checkpoint_policy),
        capacity=capacity_for(experiment.steps, experiment.batch * len(runs)),
    )
    chunks = run_chunks_together(runs, states, chunk_plan, clock, say)
    steps = ([results[i] for i in going] for results in chunks)
    outcomes = carry_out(
        sessions, [states[i] for i in going], steps, chunk_plan, checkpoint_policy, quiet, leave
    )
    for i, how in zip(going, outcomes, strict=True):
        ended[i] = Diverged(how.step, str(how)) if isinstance(how, DivergedError) else how
    return [ended[i] for i in range(len(runs))]


def run_chunks_together(
    runs: Sequence[RunInputs],
    states: Sequence[GANState],
    chunk_plan: ChunkPlan,
    clock: Clock,
    say: Callable[[str], None],
) -> Iterator[list[ChunkResult]]:
    """`run_chunks` for many runs at once: chunk by chunk, where each of them has got to.

    Args:
        runs, states: alike but for the seed; what each begins with.
        course, clock: as `run_chunks` takes them.
        say: told where some of the devices stand idle.
    """
    sources = [run.source for run in runs]
    one_source = all(_equal(source, sources[0]) for source in sources)
    everything = (
        _stack(states),
        sources[0] if one_source else _stack(sources),
        jnp.stack([run.data_key for run in runs]),
    )
    state, source, data_key = _spread(everything, one_source, len(runs), say)
    experiment = runs[0].experiment
    chunk = compile_population(experiment.gan, experiment.batch, chunk_plan.capacity, one_source=one_source)
    for results in run_chunks(chunk, state, source, data_key, chunk_plan, clock):
        pairs = zip(_apart(results.state), _apart(results.before), strict=True)
        yield [
            dataclasses.replace(
                results,
                state=state,
                before=before,
                rows={name: values[:, i] for name, values in results.rows.items()},
            )
            for i, (state, before) in enumerate(pairs)
        ]


def _diverged_before(i: int, run: RunInputs, folder: RunFolder) -> dict[int, Diverged]:
    earlier = earlier_manifest(folder)
    if earlier.get("status") != "diverged" or mismatch(run.description, earlier):
        return {}
    return {i: Diverged(earlier.get("diverged_at", 0), str(earlier.get("reason")))}


def _spread(everything: tuple[Any, ...], one_source: bool, members: int, say: Callable[[str], None]) -> Any:
    """Share out state, source and keys among as many devices as divide the members evenly."""
    devices = jax.devices()
    count = max(n for n in range(1, len(devices) + 1) if members % n == 0)
    if count < len(devices):
        say(f"{len(devices)} devices do not divide {members} runs evenly: using {count}")
    if count == 1:
        return everything
    mesh = jax.make_mesh((count,), ("members",), axis_types=(AxisType.Auto,), devices=devices[:count])
    each, all_alike = NamedSharding(mesh, PartitionSpec("members")), NamedSharding(mesh, PartitionSpec())
    return jax.device_put(everything, (each, all_alike if one_source else each, each))


def _apart(states: GANState) -> Iterator[GANState]:
    """The members' own states, each on the device it is stepped on: nothing passes between devices.

    Programs that do pass something can wait for each other for ever, where processors play several devices.
    """
    devices = len(states.step.addressable_shards)
    for device in range(devices):
        part = jax.tree.map(lambda leaf, device=device: leaf.addressable_shards[device].data, states)
        for i in range(len(states.step) // devices):
            yield _member(part, i)


@jax.jit
def _member(states: GANState, i: int) -> GANState:
    # Compiled, and the number an argument: there are dozens of arrays for each member, chunk by chunk.
    return jax.tree.map(lambda leaf: leaf[i], states)


def _equal(one: Source, other: Source) -> bool:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return one is other or all(np.array_equal(*pair) for pair in pairs)


def _can_be_stacked(trees: Sequence[Any]) -> bool:
    def form(tree: Any) -> Any:
        return jax.tree.structure(tree), [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(tree)]

    forms = [form(tree) for tree in trees]
    return all(form == forms[0] for form in forms)


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
