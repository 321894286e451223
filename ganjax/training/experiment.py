"""What training needs from an experiment; `ganjax.experiments` has the named ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import jax

from ganjax.datasets.batches import Source
from ganjax.gan import GAN
from ganjax.state import GANState
from ganjax.system.errors import UserError


class Experiment(Protocol):
    """Settings, a GAN, data, and how they are drawn and scored."""

    name: ClassVar[str]
    select_every: ClassVar[int]
    select_by: ClassVar[str]

    @property
    def seed(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def log_every(self) -> int: ...
    @property
    def picture_every(self) -> int: ...
    @cached_property
    def gan(self) -> GAN: ...

    def load(self, progress: bool) -> tuple[Source, Mapping[str, Any]]:
        """The real data, and their description in the manifest."""
        ...

    def draw(self, path: Path, state: GANState, source: Source, key: jax.Array) -> None:
        """Draw a picture of the state to `path`; the same key gives the same latents."""
        ...

    def walk(self, path: Path, state: GANState, key: jax.Array) -> None:
        """Draw walks through the latent space to `path`, or do nothing."""
        ...

    def distance(self, state: GANState, source: Source, key: jax.Array) -> float:
        """With `select_every` > 0: a distance; the state with the smallest one is kept."""
        ...

    def score(self, state: GANState, source: Source, key: jax.Array) -> dict[str, float]:
        """Scores of the final state, by name."""
        ...


def check_experiment(experiment: Any) -> None:
    """Raise UserError unless `experiment` is an instance of a dataclass, whose fields are its settings."""
    if isinstance(experiment, type):
        raise UserError(
            f"{experiment.__name__} is a class: pass an instance, such as {experiment.__name__}()"
        )
    if not dataclasses.is_dataclass(experiment):
        name = type(experiment).__name__
        raise UserError(
            f"{name} is not a dataclass, and a manifest records the fields of one: put "
            f"@dataclasses.dataclass(frozen=True, kw_only=True) above `class {name}`"
        )


def load(experiment: Experiment, progress: bool) -> tuple[Source, Mapping[str, Any]]:
    """The real data and their description, from `experiment.load`.

    Raises:
        UserError: it returned something else.
    """
    loaded: Any = experiment.load(progress)
    source: Any
    source, data = loaded if isinstance(loaded, tuple) and len(loaded) == 2 else (loaded, None)
    if not isinstance(data, Mapping) or not hasattr(source, "plan") or not hasattr(source, "fetch"):
        kind = f"({type(source).__name__}, {type(data).__name__})" if loaded is not source else ""
        raise UserError(
            f"{type(experiment).__name__}.load must return a source of batches and a description, such as "
            f'(ganjax.datasets.Resident(x), {{"name": "x"}}), not {kind or type(loaded).__name__}'
        )
    return source, data
