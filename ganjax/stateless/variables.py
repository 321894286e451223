"""What training does with each variable of a Keras model.

`trainable_variables` are trained. The others are of three kinds:

- seeds of random layers;
- statistics, which a layer updates in a training call (BatchNormalization, SpectralNormalization);
- constants: weights of frozen layers, what `adapt` computed, and whatever else training leaves alone.

Constants start as the model holds them, and never change. All others start from the key, and so do the
weights of a frozen layer with the attribute `drawn_from_key = True` (random Fourier features).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np


@contextmanager
def standard_promotion() -> Iterator[None]:
    """Let Keras and optax promote dtypes and ranks, which a caller may forbid in code of their own."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def seeds(model: keras.Model) -> list[Any]:
    """The seeds of a model's random layers: uint32 variables of shape (2,), in the model's order."""
    states = {id(g.state) for layer in model._flatten_layers() for g in layer._seed_generators}
    return [v for v in model.non_trainable_variables if id(v) in states]


def frozen(model: keras.Model) -> set[int]:
    """Ids of the variables that belong to a layer with `trainable = False`, or are weights so marked."""
    layers = model._flatten_layers()
    held = [v for layer in layers if not layer.trainable for v in layer.weights]
    weights = [v for layer in layers for v in layer._trainable_variables]
    non_trainable = {id(v) for v in model.non_trainable_variables}
    return {id(v) for v in [*held, *weights]} & non_trainable


def statistics(model: keras.Model, inputs: Any) -> set[int]:
    """Ids of the variables that a training call updates, other than trained and frozen ones and seeds.

    Args:
        model: a built Keras model.
        inputs: shapes and dtypes of its inputs, as `jax.eval_shape` takes them.
    """
    others = {id(v) for v in seeds(model)} | frozen(model)
    candidates = [v for v in model.non_trainable_variables if id(v) not in others]
    updated = set()

    def training_call(values: list[jax.Array], inputs: Any) -> None:
        scope = keras.StatelessScope(
            list(zip(model.variables, values, strict=True)), initialize_variables=False
        )
        before = [scope.get_current_value(v) for v in candidates]
        with scope, standard_promotion():
            model(inputs, training=True)
        after = [scope.get_current_value(v) for v in candidates]
        updated.update(id(v) for v, a, b in zip(candidates, before, after, strict=True) if a is not b)

    if candidates:
        shapes = [jax.ShapeDtypeStruct(v.shape, jnp.dtype(v.dtype)) for v in model.variables]
        jax.eval_shape(training_call, shapes, inputs)
    return updated


class Snapshot:
    """A model's variables as they are now: which are trained, and what each holds.

    `trained` and `others` are the `trainable_variables` and `non_trainable_variables` that `model` had.

    Two snapshots are equal when they show one model in one condition. `hash` raises what `check` does: a
    program compiled for the snapshot would no longer be right.
    """

    def __init__(self, model: keras.Model, inputs: Any):
        self.model, self._inputs = model, inputs
        self.trained, self.others = list(model.trainable_variables), list(model.non_trainable_variables)
        self._parts = [*model._flatten_layers(), *model.variables]
        self._trainable = [part.trainable for part in self._parts]
        self._seeds = {id(v) for v in seeds(model)}
        self._values = {id(v): v._value for v in model.variables if id(v) not in self._seeds}
        self._watched: list[Any] = []  # constants, once somebody has asked for them
        self._hash = hash((id(model), *self._trainable, *map(id, self._values.values())))

    @functools.cached_property
    def constants(self) -> dict[int, jax.Array]:
        """The values that training leaves alone, by the variable's `id`; none of a model without values."""
        layers = [x for x in self.model._flatten_layers() if getattr(x, "drawn_from_key", False)]
        drawn = {id(v) for layer in layers for v in layer.weights}
        variables = [v for v in self.model.non_trainable_variables if id(v) not in drawn]
        held = [v for v in variables if self._values.get(id(v)) is not None]
        updated = statistics(self.model, self._inputs) if held else set()
        self._watched = [v for v in held if id(v) not in updated]
        return {id(v): self._values[id(v)] for v in self._watched}

    def value(self, variable: Any) -> jax.Array | None:
        """What the variable held; None for a seed, and in a model without values."""
        return self._values.get(id(variable))

    def is_seed(self, variable: Any) -> bool:
        """Whether the variable is the seed of a random layer."""
        return id(variable) in self._seeds

    def check(self) -> None:
        """Raise ValueError if `trainable` of a layer has changed since, or the value of a constant."""
        # Private attributes: this runs at every call of a compiled step, and properties take twice as long.
        if [part._trainable for part in self._parts] != self._trainable:
            pairs = zip(self._parts, self._trainable, strict=True)
            changed = next(part for part, flag in pairs if part.trainable != flag)
            what = f"`trainable` of {changed.name!r}"
        elif (changed := next(filter(self._has_changed, self._watched), None)) is not None:
            what = f"the value of {changed.path!r}, which is not trained,"
        else:
            return
        raise ValueError(
            f"{what} in the model {self.model.name!r} was changed after the GAN was made: "
            "make the GAN again, and its state with init_state or refreeze"
        )

    def _has_changed(self, constant: Any) -> bool:
        held = self._values[id(constant)]
        if constant._value is held:
            return False
        return held.is_deleted() or not np.array_equal(constant._value, held)

    def __hash__(self) -> int:
        self.check()
        return self._hash

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Snapshot)
            and self.model is other.model
            and self._trainable == other._trainable
            and self._values.keys() == other._values.keys()
            and all(value is other._values[key] for key, value in self._values.items())
        )
