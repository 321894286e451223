"""fit_population: one experiment with many seeds, trained together if the networks allow it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
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
from ganjax.system.keras_settings import settings_for
from ganjax.system.lock import Lock
from ganjax.system.progress import Clock, tell
from ganjax.training.chunked_run import ChunkPlan, ChunkResult, run_chunks
from ganjax.training.chunks import capacity_for, compile_population, has_convolutions, same_under_vmap
from ganjax.training.experiment import Experiment, check_experiment
from ganjax.training.loop import as_folder, fit, initial_state, run_sessions, stops
from ganjax.training.recorder import DivergedError
from ganjax.training.session import Outcome, RunInputs, Session

MAX_BYTES = 2**31  # of all states together; about four copies of them are in memory


@dataclasses.dataclass(frozen=True)
class Diverged:
    """How a run diverged: `step`, counted from 1, and `reason` in words."""

    step: int
    reason: str


def fit_population(
    experiments: Sequence[Experiment],
    folders: Sequence[RunFolder | str | os.PathLike[str]],
    *,
    resume: bool = False,
    checkpoint_policy: CheckpointPolicy = CheckpointPolicy(),  # noqa: B008  (frozen)
    quiet: bool = False,
    leave: Callable[[int], None] | None = None,
) -> list[Outcome | Diverged]:
    """Train `experiments`, which differ only in their seeds, and write the results of each to its folder.

    All members are trained in one program, over several devices if there are some, and stopped together. If a
    member diverges, its last good state is saved and the others continue. Up to rounding, a member equals the
    single run of its seed: its bits depend on the number of members, and not on the other members. If the
    members cannot be trained together (`reason_to_train_separately`), they are trained one after another by
    `fit`.

    Args:
        experiments: with different seeds.
        folders: one for each, as for `fit`.
        resume: continue from the latest step of which all members have an undamaged checkpoint, or start at
            the first step if there is none. Members that have diverged are left unchanged.
        checkpoint_policy, quiet, leave: as in `fit`.

    Returns:
        How each member ended, in order. If they were trained one after another and a signal stopped one, the
        following ones are missing.

    Raises:
        UserError: another process is training in one of the folders, or one contains another run.
        OSError: something cannot be written. Files written before are not damaged.
    """
    for experiment in experiments:
        check_experiment(experiment)
    folders = [as_folder(folder, resume) for folder in folders]
    say = (lambda text: None) if quiet else tell
    clock, seeds, runs = Clock(), [experiment.seed for experiment in experiments], []
    reason = reason_to_train_separately(experiments)
    if not reason:
        with clock("data"):
            runs = run_inputs(experiments, not quiet, seeds)
        if not _can_be_stacked([run.source for run in runs]):
            reason = "the shapes of their data differ"
    if reason:
        say(f"training one after another: {reason}")
        return _one_after_another(experiments, folders, resume, checkpoint_policy, quiet, leave)
    with settings_for(experiments[0]), contextlib.ExitStack() as locks:
        for folder in folders:
            locks.enter_context(Lock(folder.path))
            remove_unfinished(folder.path)
            if not resume:
                folder.make_room()
        return _train(runs, folders, resume, checkpoint_policy, quiet, leave, say, clock)


def run_inputs(experiments: Sequence[Experiment], progress: bool, seeds: Sequence[int]) -> list[RunInputs]:
    """The inputs of all members. Their GANs are the same but for the seed, so one fingerprint serves all."""
    first = RunInputs(experiments[0], progress, seeds)
    return [first, *(RunInputs(each, False, seeds, first.fingerprint) for each in experiments[1:])]


def reason_to_train_separately(experiments: Sequence[Experiment]) -> str | None:
    """Why these runs cannot be trained together, in words; None if they can."""
    gan, key = experiments[0].gan, jax.random.key(0)
    if has_convolutions(gan):
        return "convolutions with a different kernel for each run are slow"
    if not same_under_vmap(key):
        return f"keys of kind {jax.random.key_impl(key)} draw other numbers under vmap"
    state = jax.eval_shape(lambda: init_state(gan, key))
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    if size * len(experiments) > MAX_BYTES:
        return f"{len(experiments)} states of {size / 2**20:.0f} MiB do not fit in memory together"
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
    running = [i for i in range(len(runs)) if i not in ended]
    if not running:
        return list(ended.values())
    checkpoints = None
    if resume:
        checkpoints = resume_together(
            [folders[i] for i in running],
            experiment.gan,
            [runs[i].description for i in running],
            say,
        )
    if not checkpoints:
        running = list(range(len(runs)))
    # Bits depend on the number of members, so one that has diverged keeps its place, with any state.
    states = [initial_state(experiment, run.init_key) for run in runs]
    for i, resumed in zip(running, checkpoints or [], strict=False):
        states[i] = resumed.state
    sessions = [
        Session(runs[i], folders[i], experiment.steps, checkpoint_policy, say, clock, resumed)
        for i, resumed in zip(running, checkpoints or [None] * len(running), strict=True)
    ]
    chunk_plan = ChunkPlan(
        first=checkpoints[0].step if checkpoints else 0,
        last=experiment.steps,
        every=stops(experiment, checkpoint_policy),
        capacity=capacity_for(experiment.steps, experiment.batch * len(runs)),
    )
    chunks = run_chunks_together(runs, states, chunk_plan, clock, say)
    steps = ([results[i] for i in running] for results in chunks)
    outcomes = run_sessions(
        sessions, [states[i] for i in running], steps, chunk_plan, checkpoint_policy, quiet, leave
    )
    for i, outcome in zip(running, outcomes, strict=True):
        ended[i] = Diverged(outcome.step, str(outcome)) if isinstance(outcome, DivergedError) else outcome
    return [ended[i] for i in range(len(runs))]


def run_chunks_together(
    runs: Sequence[RunInputs],
    states: Sequence[GANState],
    chunk_plan: ChunkPlan,
    clock: Clock,
    say: Callable[[str], None],
) -> Iterator[list[ChunkResult]]:
    """`run_chunks` for many runs at once: yields a result for each run after each chunk.

    Args:
        runs: they differ only in their seeds.
        states: the initial state of each.
        chunk_plan, clock: as for `run_chunks`.
        say: called with a message if some devices are not used.
    """
    sources = [run.source for run in runs]
    one_source = all(_equal(source, sources[0]) for source in sources)
    arguments = (
        _stack(states),
        sources[0] if one_source else _stack(sources),
        jnp.stack([run.data_key for run in runs]),
    )
    state, source, data_key = _spread(arguments, one_source, len(runs), say)
    experiment = runs[0].experiment
    chunk = compile_population(experiment.gan, experiment.batch, chunk_plan.capacity, one_source=one_source)
    for results in run_chunks(chunk, state, source, data_key, chunk_plan, clock):
        pairs = zip(_split(results.state), _split(results.before), strict=True)
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


def _spread(arguments: tuple[Any, ...], one_source: bool, members: int, say: Callable[[str], None]) -> Any:
    """Distribute state, source and keys over as many devices as divide the members evenly."""
    devices = jax.devices()
    count = max(n for n in range(1, len(devices) + 1) if members % n == 0)
    if count < len(devices):
        say(f"{members} runs cannot be divided evenly among {len(devices)} devices: using {count}")
    if count == 1:
        return arguments
    mesh = jax.make_mesh((count,), ("members",), axis_types=(AxisType.Auto,), devices=devices[:count])
    each, same = NamedSharding(mesh, PartitionSpec("members")), NamedSharding(mesh, PartitionSpec())
    return jax.device_put(arguments, (each, same if one_source else each, each))


def _split(states: GANState) -> Iterator[GANState]:
    """The state of each member, on the device that trains it: nothing is copied between devices.

    Programs that copy between devices can deadlock where one processor stands for several devices.
    """
    devices = len(states.step.addressable_shards)
    for device in range(devices):
        part = jax.tree.map(lambda leaf, device=device: leaf.addressable_shards[device].data, states)
        for i in range(len(states.step) // devices):
            yield _member(part, i)


@jax.jit
def _member(states: GANState, i: int) -> GANState:
    # Compiled, with `i` as an argument: this runs for dozens of arrays of each member after each chunk.
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
