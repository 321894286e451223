"""What training needs from an experiment; `ganjax.experiments` has the named ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import jax

from ganjax.datasets.batches import Source
from ganjax.gan import GAN
from ganjax.state import GANState


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
