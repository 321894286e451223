"""How many members are computed with: shared out over devices, and stepped there in groups.

A group is stepped at once, by `vmap`; a device's groups follow one another within the program, by `lax.map`.
A group of all is fastest where a step is too small for its device: on a GPU, until its memory or its
arithmetic is used up, and for the smallest networks on a CPU. Where a step keeps a CPU's core at work, groups
of one are: a member's activations stay in the cache, and its products are not batched ones.

Milliseconds a step and member, 16 members, one core of an AMD EPYC with AVX-512, JAX 0.10.2:

    GAN                     products a pass    at once    one by one
    MLP 3x16, batch 64            0.08 M         0.034       0.049
    MLP 3x32, batch 64            0.28 M         0.060       0.078
    MLP 3x64, batch 64            1.1 M          0.169       0.182
    MLP 3x32, batch 256           1.1 M          0.243       0.219
    MLP 3x64, batch 256           4.4 M          0.638       0.570
    MLP 3x128, batch 256           17 M          2.21        1.77
    ring, batch 256                30 M          9.9         8.3   (with exact sines)
    ring, batch 512                51 M         10.2         7.9   (on two cores)
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

ONE_BY_ONE = 2**20  # products in a pass of both networks, from which on a CPU steps members one by one
SHARE = 0.75  # of a GPU's memory, or of what is free of a computer's, that a program may take


@dataclasses.dataclass(frozen=True)
class Layout:
    """Who is computed where and when.

    Attributes:
        members: how many there are.
        devices: how many they are shared out over: the first of `jax.devices()`.
        group: how many a device steps at once.
    """

    members: int
    devices: int
    group: int

    @classmethod
    def of(cls, members: int, group: int, devices: int | None = None) -> Layout:
        """Over as many devices as there are, or `devices`; groups of at most `group`, as equal as can be."""
        devices = min(members, devices or len(jax.devices()))
        each = -(-members // devices)
        groups = -(-each // group)
        return cls(members, devices, -(-each // groups))

    @property
    def places(self) -> int:
        """Members and those who fill the last groups up: repetitions of the last, which nobody sees."""
        each = -(-self.members // self.devices)
        return self.devices * self.group * -(-each // self.group)

    def spread(self, tree: Any, *, each: bool) -> Any:
        """Put arrays where they are computed with.

        Args:
            tree: arrays.
            each: their first axis counts members; otherwise all devices get all of them.
        """
        if each and self.places > self.members:
            tree = jax.tree.map(lambda x: jnp.concatenate([x, *[x[-1:]] * (self.places - len(x))]), tree)
        if self.devices == 1:
            return jax.device_put(tree, jax.devices()[0])
        return jax.device_put(tree, NamedSharding(self._mesh, _EACH if each else _ALL))

    def gather(self, tree: Any) -> Any:
        """Arrays with a first axis of members, and of nobody else, on the first device.

        Piece by piece: a program in which devices pass something to each other can wait for ever where
        processors play several of them.
        """

        def one(leaf: jax.Array) -> jax.Array:
            parts = sorted(leaf.addressable_shards, key=lambda shard: shard.device.id)
            here = [jax.device_put(shard.data, jax.devices()[0]) for shard in parts]
            whole = jnp.concatenate(here) if len(here) > 1 else here[0]
            return whole[: self.members] if self.places > self.members else whole

        return jax.tree.map(one, tree)

    def over_members(self, function: Callable[..., Any], shared: int = 0) -> Callable[..., Any]:
        """`function` of one member as one of all, whose last `shared` arguments are the same for all."""

        def on_one_device(*arguments: Any) -> Any:
            own, same = arguments[: len(arguments) - shared], arguments[len(arguments) - shared :]
            axes = (*(0 for _ in own), *(None for _ in same))
            if len(jax.tree.leaves(own)[0]) == self.group and self.group > 1:
                return jax.vmap(function, in_axes=axes)(*own, *same)
            # No batch for groups of one: a product with a batch of one is still a batched product.
            size = self.group if self.group > 1 else None
            return jax.lax.map(lambda own: function(*own, *same), own, batch_size=size)

        if self.devices == 1:
            return on_one_device

        def on_all(*arguments: Any) -> Any:
            specs = (*(_EACH for _ in arguments[shared:]), *(_ALL for _ in range(shared)))
            # Without collectives: devices that wait for nobody cannot wait for ever.
            return jax.shard_map(
                on_one_device, mesh=self._mesh, in_specs=specs, out_specs=_EACH, check_vma=False
            )(*arguments)

        return on_all

    @property
    def _mesh(self) -> Mesh:
        return jax.make_mesh(
            (self.devices,),
            ("members",),
            axis_types=(AxisType.Auto,),
            devices=jax.devices()[: self.devices],
        )


_EACH, _ALL = PartitionSpec("members"), PartitionSpec()


def preferred_group(members: int, work: int) -> int:
    """How many to step at once, memory aside: all, or on a CPU one by one where a step keeps it at work.

    Args:
        members: how many there are.
        work: products in one pass of both networks.
    """
    return 1 if jax.devices()[0].platform == "cpu" and work >= ONE_BY_ONE else members


def memory_for_programs() -> int:
    """Bytes that a program may take on one device: of a GPU's memory, or of what is free of a computer's."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return int(SHARE * free / len(jax.devices()))
    stats = device.memory_stats() or {}
    return int(SHARE * stats.get("bytes_limit", 2**33))


def memory_of(compiled: Any) -> int:
    """Bytes that a compiled program takes on one device: arguments, results and temporaries."""
    sizes = compiled.memory_analysis()
    return (
        sizes.argument_size_in_bytes
        + sizes.output_size_in_bytes
        + sizes.temp_size_in_bytes
        - sizes.alias_size_in_bytes
    )
