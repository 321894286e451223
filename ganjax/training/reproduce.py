"""Train a run again and compare its states with the recorded digests."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ganjax.export import arrays_digest, state_to_arrays
from ganjax.runs import checkpoints
from ganjax.runs.digests import relative_differences, witness
from ganjax.runs.manifest import mismatch, population_of
from ganjax.runs.run_folder import RunFolder
from ganjax.state import GANState
from ganjax.system.errors import DamagedError, UserError
from ganjax.system.keras_settings import settings_for
from ganjax.system.progress import Clock
from ganjax.training.chunked_run import ChunkPlan, run_chunks
from ganjax.training.chunks import capacity_for, compile_chunk
from ganjax.training.loop import initial_state
from ganjax.training.population import run_chunks_together
from ganjax.training.session import RunInputs


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a run recorded about its states.

    Attributes:
        digests: of the state, by step.
        witnesses: a few values of each array of the state, float32 `(leaves, values)`, by step.
    """

    digests: Mapping[int, str]
    witnesses: Mapping[int, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Comparison of two states that should be equal.

    Attributes:
        step: number of steps done.
        identical: whether the digests are equal.
        differences: largest relative difference of the compared values, by array; None if the run recorded
            only a digest.
    """

    step: int
    identical: bool
    differences: dict[str, float] | None

    @property
    def largest(self) -> float | None:
        """The largest relative difference of all arrays; None if it is not known."""
        if self.identical:
            return 0.0
        return None if self.differences is None else max(self.differences.values())

    def within(self, tolerance: float) -> bool:
        """Whether the states are identical or, with a tolerance, no compared value differs by more.

        Only a few values of each array are compared: they may be equal although the digests differ.
        """
        if self.identical or tolerance == 0:
            return self.identical
        return self.largest is not None and self.largest <= tolerance


def expected_of(manifest: Mapping[str, Any], folder: RunFolder | None, steps: int | None) -> Expected:
    """The recorded digests and values of a run, up to step `steps` if that is given.

    Args:
        manifest: content of `manifest.json`.
        folder: of the run; its latest undamaged checkpoint has the values.
        steps: compare nothing after this step.

    Raises:
        UserError: the manifest has no digests, or they are not valid.
    """
    try:
        digests = {int(step): str(digest) for step, digest in manifest["digests"].items()}
        if "state_sha256" in manifest:
            digests[int(manifest["steps_done"])] = str(manifest["state_sha256"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"the digests cannot be read ({error}): nothing to compare with") from error
    digests = {step: digests[step] for step in sorted(digests) if steps is None or step <= steps}
    if not digests:
        raise UserError("the manifest has no digest of a state: nothing to compare with")
    return Expected(digests, _witnesses(folder) if folder else {})


def reproduce(experiment: Any, manifest: Mapping[str, Any], expected: Expected) -> Iterator[Comparison]:
    """Train `experiment` from its first step and compare at each recorded digest, in order. Writes nothing.

    If the run belonged to a population, the whole population is trained: bits depend on its size.

    Raises:
        UserError: the data are not those of the run.
    """
    seeds = population_of(manifest)
    runs = [RunInputs(dataclasses.replace(experiment, seed=seed), False, seeds) for seed in seeds]
    runs = runs or [RunInputs(experiment, False)]
    own = seeds.index(experiment.seed) if experiment.seed in seeds else 0
    other = mismatch(runs[own].description, manifest)
    if other:
        raise UserError(f"this is not the run of the manifest: {other}")
    with settings_for(experiment):
        states = [initial_state(experiment, run.init_key) for run in runs]
    if 0 in expected.digests:
        yield _compare(states[own], 0, expected)
    capacity = capacity_for(experiment.steps, experiment.batch * len(runs))
    chunk_plan = ChunkPlan(0, max(expected.digests), every=(), capacity=capacity)
    if seeds:
        chunks = (
            each[own]
            for each in run_chunks_together(runs, states, chunk_plan, Clock(), say=lambda text: None)
        )
    else:
        chunk = compile_chunk(experiment.gan, experiment.batch, capacity)
        chunks = run_chunks(chunk, states[0], runs[0].source, runs[0].data_key, chunk_plan, Clock())
    with settings_for(experiment):
        for result in chunks:
            if result.step in expected.digests:
                yield _compare(result.state, result.step, expected)


def _compare(state: GANState, step: int, expected: Expected) -> Comparison:
    arrays = state_to_arrays(state)
    identical = arrays_digest(arrays) == expected.digests[step]
    theirs = expected.witnesses.get(step)
    if identical or theirs is None:
        return Comparison(step, identical, None)
    ours = witness(arrays)
    if ours.shape != theirs.shape:
        raise UserError("the checkpoint of the run is of another network: nothing to compare with")
    differences = relative_differences(ours, theirs)
    return Comparison(step, False, dict(zip(arrays, differences.tolist(), strict=True)))


def _witnesses(folder: RunFolder) -> dict[int, np.ndarray]:
    for path in reversed(folder.checkpoints()):
        try:
            checkpoint = checkpoints.read(path)
        except DamagedError:
            continue
        last = {int(checkpoint.record["step"]): witness(checkpoint.arrays)}
        return {**checkpoint.witnesses, **last}
    return {}
