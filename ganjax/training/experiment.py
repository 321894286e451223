"""What training needs to know of an experiment; `ganjax.experiments` has the named ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import jax

from ganjax.datasets.batches import Source
from ganjax.gan import GAN
from ganjax.state import GANState


class Experiment(Protocol):
    """Settings, a GAN, data, and how both are looked at."""

    @property
    def name(self) -> str: ...
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
    @property
    def select_every(self) -> int: ...
    @property
    def select_by(self) -> str: ...
    @property
    def gan(self) -> GAN: ...

    def load(self, progress: bool) -> tuple[Source, Mapping[str, Any]]:
        """The real data, and what the manifest says of them."""
        ...

    def draw(self, path: Path, state: GANState, source: Source, key: jax.Array) -> None:
        """Draw a picture of the state; the same key gives the same latents."""
        ...

    def walk(self, path: Path, state: GANState, key: jax.Array) -> None:
        """Draw walks through the state's latent space, or nothing."""
        ...

    def distance(self, state: GANState, source: Source, key: jax.Array) -> float:
        """With `select_every` > 0: how far the state is from what is wanted; the least is kept."""
        ...

    def score(self, state: GANState, source: Source, key: jax.Array) -> dict[str, float]:
        """Scores of the final state, by name."""
        ...
