"""How members are distributed over devices, and divided into groups on each device.

The members of a group do a step at once (`vmap`); the groups of a device do it one after another, in the same
program (`lax.map`). One group of all members is fastest if a single step does not use the whole device: on a
GPU until its memory or its arithmetic units are full, and for the smallest networks on a CPU. If a step keeps
a CPU core busy, groups of one are fastest: the activations of a member stay in the cache, and matrix products
are not batched.

Milliseconds per step and member, 16 members, one core of an AMD EPYC with AVX-512, JAX 0.10.2:

    GAN                     products a pass    together   one by one
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

ONE_BY_ONE = 2**20  # with so many products in a pass of both networks, groups of one are best on a CPU
SHARE = 0.75  # part of a GPU's memory, or of a computer's free memory, that a program may use


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where and when each member is computed.

    Attributes:
        members: number of members.
        devices: number of devices used, the first of `jax.devices()`.
        group: number of members in a group.
    """

    members: int
    devices: int
    group: int

    @classmethod
    def of(cls, members: int, group: int, devices: int | None = None) -> Layout:
        """For all devices, or the first `devices`; groups have at most `group` members and similar sizes."""
        devices = min(members, devices or len(jax.devices()))
        each = -(-members // devices)
        groups = -(-each // group)
        return cls(members, devices, -(-each // groups))

    @property
    def places(self) -> int:
        """Number of members including the copies of the last one that fill up groups."""
        each = -(-self.members // self.devices)
        return self.devices * self.group * -(-each // self.group)

    def spread(self, tree: Any, *, each: bool) -> Any:
        """Put arrays on the devices.

        Args:
            tree: arrays.
            each: whether their first axis is the members; otherwise each device gets a copy.
        """
        if each and self.places > self.members:
            tree = jax.tree.map(lambda x: jnp.concatenate([x, *[x[-1:]] * (self.places - len(x))]), tree)
        if self.devices == 1:
            return jax.device_put(tree, jax.devices()[0])
        return jax.device_put(tree, NamedSharding(self._mesh, _EACH if each else _ALL))

    def gather(self, tree: Any) -> Any:
        """Arrays with a first axis of members, without copies that fill up groups, on the first device.

        They are copied shard by shard: a program that copies between devices can deadlock where one processor
        stands for several devices.
        """

        def one(leaf: jax.Array) -> jax.Array:
            parts = sorted(leaf.addressable_shards, key=lambda shard: shard.device.id)
            here = [jax.device_put(shard.data, jax.devices()[0]) for shard in parts]
            whole = jnp.concatenate(here) if len(here) > 1 else here[0]
            return whole[: self.members] if self.places > self.members else whole

        return jax.tree.map(one, tree)

    def over_members(self, function: Callable[..., Any], shared: int = 0) -> Callable[..., Any]:
        """`function` of one member as a function of all; its last `shared` arguments are the same for all."""

        def on_one_device(*arguments: Any) -> Any:
            own, same = arguments[: len(arguments) - shared], arguments[len(arguments) - shared :]
            axes = (*(0 for _ in own), *(None for _ in same))
            if len(jax.tree.leaves(own)[0]) == self.group and self.group > 1:
                return jax.vmap(function, in_axes=axes)(*own, *same)
            # No batch axis for groups of one: XLA would still use batched products.
            size = self.group if self.group > 1 else None
            return jax.lax.map(lambda own: function(*own, *same), own, batch_size=size)

        if self.devices == 1:
            return on_one_device

        def on_all(*arguments: Any) -> Any:
            specs = (*(_EACH for _ in arguments[shared:]), *(_ALL for _ in range(shared)))
            # No collectives: a device that waits for no other cannot deadlock.
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
    """The fastest group size, ignoring memory: all members, or 1 on a CPU if one step keeps a core busy.

    Args:
        members: number of members.
        work: number of products in one pass of both networks.
    """
    return 1 if jax.devices()[0].platform == "cpu" and work >= ONE_BY_ONE else members


def memory_for_programs() -> int:
    """Bytes that a program may use on one device: part of a GPU's memory, or of a computer's free memory."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return int(SHARE * free / len(jax.devices()))
    stats = device.memory_stats() or {}
    return int(SHARE * stats.get("bytes_limit", 2**33))


def memory_of(compiled: Any) -> int:
    """Bytes that a compiled program uses on one device: arguments, results and temporaries."""
    sizes = compiled.memory_analysis()
    return (
        sizes.argument_size_in_bytes
        + sizes.output_size_in_bytes
        + sizes.temp_size_in_bytes
        - sizes.alias_size_in_bytes
    )
