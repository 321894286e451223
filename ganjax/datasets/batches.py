"""The batches of a run, from pure functions that can be part of a compiled chunk of steps.

A source is a pytree with two methods. ``plan`` is called once for a chunk of many steps and determines which
samples each step gets; its result has a leading axis of steps, as ``lax.scan`` needs. ``fetch`` turns the
part of one step into a batch. The batch of step s depends only on the key and on s, so a run that is divided
into other chunks, or resumed, gets the same batches::

    xs = source.plan(key, first_step, steps, batch)  # first_step may be traced
    jax.lax.scan(lambda state, x: train_step(gan, state, source.fetch(x, batch)), state, xs)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from ganjax.datasets.images import ImageSet
from ganjax.labelled import Labelled
from ganjax.system.errors import UserError


class Source(Protocol):
    """Where batches come from."""

    def plan(self, key: Array, first_step: int | Array, steps: int, batch: int) -> Any:
        """What ``fetch`` needs for steps ``first_step`` to ``first_step + steps - 1``.

        A pytree whose leaves have a leading axis of ``steps``. ``steps`` and ``batch`` are static.
        """
        ...

    def fetch(self, x: Any, batch: int) -> Any:
        """One step's batch, float32 (batch, *sample_shape), `Labelled` where there are labels."""
        ...


@dataclass(frozen=True)
class Sampled:
    """New samples at every step: step s draws ``sample(fold_in(key, s), batch)``.

    Attributes:
        sample: a pure function (key, n) -> float32 (n, *sample_shape), as in ``datasets.toy``.
    """

    sample: Callable[[Array, int], Array]

    def plan(self, key: Array, first_step: int | Array, steps: int, batch: int) -> Array:
        """A key for each step, (steps,) (legacy keys: (steps, 2))."""
        _check(steps, batch)
        each = jnp.asarray(first_step, jnp.int32) + jnp.arange(steps, dtype=jnp.int32)
        return jax.vmap(jax.random.fold_in, (None, 0))(key, each)

    def fetch(self, x: Array, batch: int) -> Array:
        return self.sample(x, batch)


@dataclass(frozen=True, eq=False, init=False)
class Resident:
    """A data set that is on the device as a whole.

    Epoch e has the order ``permutation(fold_in(key, e), n)``, and sample i of step s is number
    ``s * batch + i`` of all epochs' samples in a row. So every epoch contains every sample exactly once, a
    batch may contain the end of one epoch and the beginning of the next, and every batch is full, even if
    ``batch`` is larger than ``n``.

    ``n * batch`` must be below 2^31 (else ValueError), and so must the number of steps. Their product may be
    larger.

    Attributes:
        array: (n, *sample_shape), uint8 in 0..255 or float32, or a structure of such arrays. It is a leaf of
            the pytree (or several): to a jitted function it is an argument, not a constant in the program.
        labels: (n, *label_shape) float32 or integers, or a structure of such arrays, also leaves; or None.
    """

    array: Any
    labels: Any

    def __init__(self, data: Any, labels: Any = None):
        """
        Args:
            data: pictures, or an array (n, *sample_shape) of uint8 or float32, or a structure of arrays.
            labels: (n, *label_shape), float32 or integers (which stay as they are), or a structure of arrays.

        Raises:
            TypeError: the data or labels have another dtype.
            ValueError: there are no samples, or the arrays are not of equally many.
            UserError: some samples are not finite; the message has the index of the first.
        """
        samples = data.images if isinstance(data, ImageSet) else data
        for array in jax.tree.leaves(samples):
            if array.dtype not in (jnp.uint8, jnp.float32):
                raise TypeError(f"resident data must be uint8 or float32, got {array.dtype}")
            if array.ndim < 1 or len(array) == 0:
                raise ValueError(f"resident data needs at least one sample, got shape {array.shape}")
            if array.dtype == jnp.float32 and not isinstance(array, Tracer):
                _check_finite(np.asarray(array))
        n, *others = map(len, jax.tree.leaves(samples))
        if any(other != n for other in others):
            raise ValueError(
                f"all arrays of resident data must hold equally many samples, got {[n, *others]}"
            )
        for array in jax.tree.leaves(labels):
            if len(array) != n:
                raise ValueError(f"{n} samples need as many labels, got {len(array)}")
            if array.dtype != np.float32 and not jnp.issubdtype(array.dtype, jnp.integer):
                raise TypeError(
                    f"labels must be float32, or integers for networks that take these, got {array.dtype}"
                )
        object.__setattr__(self, "array", jax.tree.map(jnp.array, samples))
        object.__setattr__(self, "labels", jax.tree.map(jnp.array, labels))

    def plan(self, key: Array, first_step: int | Array, steps: int, batch: int) -> Array:
        """Indices into ``array`` for each step, int32 (steps, batch)."""
        _check(steps, batch)
        n = len(self)
        if n * batch >= 2**31:
            raise ValueError(f"n * batch must be below 2**31, got {n} * {batch}")
        # first_step * batch = epoch * n + offset, without numbers beyond int32.
        rounds, rest = jnp.divmod(jnp.asarray(first_step, jnp.int32), jnp.int32(n))
        epoch, offset = jnp.divmod(rest * batch, jnp.int32(n))
        first_epoch = (rounds * batch + epoch).astype(jnp.uint32)
        epochs = (n + steps * batch - 2) // n + 1  # for the largest offset, n - 1
        # A loop rather than vmap, under which some kinds of key give other numbers.
        orders = jax.lax.map(
            lambda e: jax.random.permutation(jax.random.fold_in(key, e), n),
            first_epoch + jnp.arange(epochs, dtype=jnp.uint32),
        )
        order = jax.lax.dynamic_slice(orders.reshape(-1), (offset,), (steps * batch,))
        return order.reshape(steps, batch).astype(jnp.int32)

    def fetch(self, x: Array, batch: int) -> Any:
        """The samples with the indices ``x``, int32 (batch,); uint8 is scaled from 0..255 to [-1, 1]."""

        def chosen(array: Array) -> Array:
            return array.at[x].get(mode="promise_in_bounds")

        samples = jax.tree.map(lambda array: _as_float(chosen(array)), self.array)
        return samples if self.labels is None else Labelled(samples, jax.tree.map(chosen, self.labels))

    def __len__(self) -> int:
        return jax.tree.leaves(self.array)[0].shape[0]


@dataclass(frozen=True, eq=False, init=False)
class Whole(Resident):
    """A data set of which every batch is all of it, always in the same order.

    For one discriminator update per step: each of several would always see the same part of it.
    """

    def plan(self, key: Array, first_step: int | Array, steps: int, batch: int) -> Array:
        """An array without elements, (steps, 0): all batches are the same.

        Raises:
            ValueError: `batch` is not the number of samples.
        """
        _check(steps, batch)
        if batch != len(self):
            raise ValueError(f"a batch of the whole data set is {len(self)} samples, not {batch}")
        return jnp.zeros((steps, 0), jnp.int32)

    def fetch(self, x: Array, batch: int) -> Any:
        """All samples; uint8 is scaled from 0..255 to [-1, 1]."""
        samples = jax.tree.map(_as_float, self.array)
        return samples if self.labels is None else Labelled(samples, self.labels)


def _as_float(samples: Array) -> Array:
    return samples.astype(jnp.float32) / 127.5 - 1 if samples.dtype == jnp.uint8 else samples


def _check_finite(array: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
    if len(bad):
        values = array[bad[0]].reshape(-1)
        raise UserError(
            f"sample {bad[0]} of the real data contains {values[~np.isfinite(values)][0]} "
            f"({len(bad)} of {len(array)} samples are not finite): remove or correct them"
        )


def _register(kind: type[Resident]) -> None:
    names = ("array", "labels")

    def flatten(source: Resident) -> tuple[tuple[Any, ...], None]:
        return tuple((jax.tree_util.GetAttrKey(name), getattr(source, name)) for name in names), None

    def unflatten(_: None, leaves: Iterable[Any]) -> Resident:
        # Transformations put tracers and placeholders in place of the arrays: no checks, and no copies.
        source = object.__new__(kind)
        for name, leaf in zip(names, leaves, strict=True):
            object.__setattr__(source, name, leaf)
        return source

    jax.tree_util.register_pytree_with_keys(kind, flatten, unflatten)


def _check(steps: int, batch: int) -> None:
    if steps < 1 or batch < 1:
        raise ValueError(f"steps and batch must be at least 1, got {steps} and {batch}")


_register(Resident)
_register(Whole)
jax.tree_util.register_pytree_node(
    Sampled, lambda source: ((), source.sample), lambda sample, _: Sampled(sample)
)
