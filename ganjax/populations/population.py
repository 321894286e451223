"""train and generate: train a population, and sample from it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.datasets.batches import Sampled, Source
from ganjax.gan import GAN
from ganjax.populations import layout, members
from ganjax.populations.layout import Layout
from ganjax.populations.members import GANFamily, Values
from ganjax.state import GANState
from ganjax.stateless import without_values
from ganjax.system.progress import Clock
from ganjax.training.chunked_run import ChunkPlan, run_chunks
from ganjax.training.chunks import capacity_for, same_under_vmap

Sampler = Callable[[jax.Array, int], jax.Array]
Watch = Callable[[int, dict[str, np.ndarray]], None]


@dataclasses.dataclass(frozen=True)
class Population:
    """Trained GANs, all with the same number of steps.

    Attributes:
        family: the GAN of all members, or a function from hyperparameters to a GAN.
        keys: `(members,)` PRNG keys; everything random of a member follows from its key.
        values: hyperparameters by name, `(members,)` float32 or int32.
        state: a `GANState` whose arrays have a leading axis of members.
        metrics: "step" `(rows,)`, counted from 1, and the metrics of these steps, each `(members, rows)`
            float32.
        diverged_at: `(members,)` int, the first step, from 1, with a metric that is not finite; 0 if none.
        timings: seconds of "compile" (up to the end of the first, short chunk) and of "steps".
        group: number of members that a device trains at once.
    """

    family: GANFamily
    keys: jax.Array
    values: Values
    state: GANState
    metrics: dict[str, np.ndarray]
    diverged_at: np.ndarray
    timings: dict[str, float]
    group: int

    def __len__(self) -> int:
        return len(self.keys)

    def member(self, i: int) -> tuple[GAN, GANState]:
        """GAN and state of the i-th member, as `ganjax.generate` takes them."""
        values = {name: value[i].item() for name, value in self.values.items()}
        gan = without_values(lambda: members.member_gan(self.family, values))
        return gan, jax.tree.map(lambda leaf: leaf[i], self.state)


def train(
    family: GANFamily,
    keys: jax.Array,
    values: Mapping[str, Any] | None = None,
    *,
    data: Source | Sampler,
    steps: int,
    batch: int,
    group: int | None = None,
    devices: int | None = None,
    log_every: int = 1,
    watch: Watch | None = None,
) -> Population:
    """Train one member for each key, as one compiled program of `train_step`.

    Everything that a member draws (initial weights, batches, latents) follows from its key alone, as in
    `training.fit` with the key of its seed. So two members with equal keys and different values differ in
    nothing but these values. Up to rounding, a member equals its single run. Its bits depend on the group
    size, and not on the other members. Calls with other keys and values but as many members use the same
    compiled program.

    Args:
        family: a `GAN`, or a function from hyperparameters to a GAN (see `GANFamily`).
        keys: `(members,)` PRNG keys.
        values: hyperparameters by name, `(members,)` numbers for each.
        data: real samples: a source of `ganjax.datasets`, the same for all members, or a pure function
            `(key, n) -> (n, *sample_shape)` float32, from which each member draws its own.
        steps, batch: number of updates of G, and real samples per update of D.
        group: largest number of members that a device trains at once. By default the fastest (see `layout`)
            for which the program fits in memory.
        devices: how many to use; by default all.
        log_every: number of steps between rows of metrics.
        watch: called after each chunk with the number of steps done and the metrics `(steps, members)`.

    Returns:
        The trained population, on the first device. Members that have diverged are included.

    Raises:
        ValueError: no members, not one value for each member, values for a single GAN, or steps or batch
            below 1.
        TypeError: `keys` are not PRNG keys, or they are of a kind that draws other numbers under `vmap`.
        jax.errors.JAXTypeError: the function needs the concrete value of a traced number.

    Cost: `members * steps` times a step. Memory: four times all states, and a step for each one of a group.
    """
    keys, values = _checked(keys, values)
    if steps < 1 or batch < 1 or log_every < 1 or (group is not None and group < 1):
        raise ValueError(
            "steps, batch, group and log_every must be at least 1, got "
            f"{steps}, {batch}, {group} and {log_every}"
        )
    source = cast(Source, data if hasattr(data, "plan") else Sampled(cast(Sampler, data)))
    clock = Clock()
    with clock("compile"):
        plan, chunk, state = _prepared(family, keys, values, source, steps, batch, group, devices)
        own = plan.spread((keys, values), each=True)
        source = plan.spread(source, each=False)
        seen, diverged_at = [], np.zeros(len(keys), int)

    def advanced(state: GANState, source: Source, keys: jax.Array, count: int) -> Any:
        state, metrics = chunk(state, keys, own[1], source, plan.spread(jnp.int32(count), each=False))
        return state, {name: np.asarray(value)[: len(diverged_at)].T for name, value in metrics.items()}

    chunk_plan = ChunkPlan(first=0, last=steps, every=(), capacity=capacity_for(steps, batch * plan.places))
    for result in run_chunks(advanced, state, source, own[0], chunk_plan, clock):
        state, rows = result.state, result.rows
        numbers = np.arange(result.first, result.step) + 1
        bad = rows["finite"] == 0
        first = numbers[np.argmax(bad, axis=0)]
        diverged_at = np.where((diverged_at == 0) & bad.any(axis=0), first, diverged_at)
        kept = numbers % log_every == 0
        seen.append({"step": numbers[kept]} | {name: value[kept].T for name, value in rows.items()})
        if watch:
            watch(result.step, rows)
    metrics = {name: np.concatenate([each[name] for each in seen], axis=-1) for name in seen[0]}
    state = plan.gather(state)
    return Population(family, keys, values, state, metrics, diverged_at, clock.seconds, plan.group)


def generate(population: Population, n: int, *, ema: bool = True) -> jax.Array:
    """`n` samples of every member: `(members, n, *sample_shape)` float32, as one compiled program.

    Args:
        population: trained.
        n: number of samples of each member, static.
        ema: use the averaged generators instead of the latest ones.

    Each member draws its latents from its own key, as `training.fit` does for the scores of an experiment.
    """
    plan = Layout.of(len(population), population.group)
    arguments = (population.state, population.keys, population.values)
    program = _samples(population.family, n, ema, plan)
    return plan.gather(program(*plan.spread(arguments, each=True)))


class Program:
    """A function that is compiled once for each structure, shapes and dtypes of its arguments.

    It is traced in another thread, in which Keras creates no values for the models that a family builds.
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        self.jitted = jax.jit(function, **options)
        self.compiled: dict[Any, Any] = {}

    def compile(self, *arguments: Any) -> Any:
        """The program for arguments of these shapes and dtypes."""
        leaves, structure = jax.tree.flatten(arguments)
        form = (structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
        if form not in self.compiled:
            self.compiled[form] = without_values(lambda: self.jitted.lower(*arguments)).compile()
        return self.compiled[form]

    def __call__(self, *arguments: Any) -> Any:
        return self.compile(*arguments)(*arguments)


@functools.lru_cache(maxsize=16)
def _initial(family: GANFamily, plan: Layout) -> Program:
    return Program(plan.over_members(members.initial(family)))


@functools.lru_cache(maxsize=16)
def _chunk(family: GANFamily, batch: int, capacity: int, plan: Layout) -> Program:
    return Program(plan.over_members(members.steps(family, batch, capacity), shared=2), donate_argnums=0)


@functools.lru_cache(maxsize=16)
def _samples(family: GANFamily, n: int, ema: bool, plan: Layout) -> Program:
    return Program(plan.over_members(members.samples(family, n, ema)))


def _prepared(
    family: GANFamily,
    keys: jax.Array,
    values: Values,
    source: Source,
    steps: int,
    batch: int,
    group: int | None,
    devices: int | None,
) -> tuple[Layout, Program, GANState]:
    """A layout that fits in memory, its compiled chunk, and the states before the first step."""
    group = group or layout.preferred_group(len(keys), _work(family, values, batch))
    while True:
        plan = Layout.of(len(keys), group, devices)
        state = _initial(family, plan)(*plan.spread((keys, values), each=True))
        chunk = _chunk(family, batch, capacity_for(steps, batch * plan.places), plan)
        everything = (state, *plan.spread((keys, values), each=True))
        shared = plan.spread((source, jnp.int32(1)), each=False)
        needs = layout.memory_of(chunk.compile(*everything, *shared))
        if plan.group == 1 or needs <= layout.memory_for_programs():
            return plan, chunk, state
        group = plan.group // 2


def _work(family: GANFamily, values: Values, batch: int) -> int:
    """Number of products in one pass of both networks over a batch, if they are dense."""
    first = {name: value[0].item() for name, value in values.items()}
    gan = without_values(lambda: members.member_gan(family, first))
    return batch * sum(
        int(np.prod(v.shape))
        for model in (gan.generator, gan.discriminator)
        for v in model.trainable_variables
    )


def _checked(keys: jax.Array, values: Mapping[str, Any] | None) -> tuple[jax.Array, Values]:
    dtype = getattr(keys, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jax.dtypes.prng_key) or keys.ndim != 1:
        raise TypeError("keys must be an array of PRNG keys, such as jax.random.split(jax.random.key(0), 10)")
    if not same_under_vmap(keys):
        raise TypeError(
            f"keys of kind {jax.random.key_impl(keys)} draw other numbers under vmap: use threefry2x32"
        )
    if not len(keys):
        raise ValueError("a population needs at least one member, got no keys")
    arrays = {name: np.asarray(value) for name, value in (values or {}).items()}
    for name, array in arrays.items():
        if array.shape != keys.shape or array.dtype.kind not in "iuf":
            raise ValueError(
                f"{name} must be {len(keys)} numbers, one for each key, got {array.dtype} {array.shape}"
            )
    return keys, {
        name: jnp.asarray(array, jnp.float32 if array.dtype.kind == "f" else jnp.int32)
        for name, array in arrays.items()
    }
