"""What every experiment has. Nothing heavy is imported before one is used: `--help` reads this file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ganjax.experiments.ranges import Batch, Seed, Steps, StepsOrNever, check_settings

if TYPE_CHECKING:
    import jax

    from ganjax.datasets.batches import Source
    from ganjax.gan import GAN
    from ganjax.state import GANState


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """Settings and methods common to all experiments; `ganjax.training.fit` runs one.

    Raises:
        UserError: a setting is out of its range (see `ranges.py`).
    """

    name: ClassVar[str]
    select_every: ClassVar[int] = 0
    select_by: ClassVar[str] = ""  # the name of what `distance` measures
    large_temporaries: ClassVar[bool] = False  # of a step: megabytes; see training/allocator.py

    seed: Seed = 0
    """Seed of the one PRNG key everything random follows from."""
    steps: Steps = 1000
    """Updates of the generator."""
    batch: Batch = 64
    """Real samples in an update, and generated ones beside them."""
    log_every: Steps = 10
    """Steps from one row of metrics.csv to the next."""
    picture_every: StepsOrNever = 100
    """Steps from one picture (and frame of film.gif) to the next; 0 for none."""

    def __post_init__(self) -> None:
        check_settings(self)

    @cached_property
    def gan(self) -> GAN:
        """The GAN: two Keras models, a loss, two optimisers."""
        raise NotImplementedError

    def load(self, progress: bool) -> tuple[Source, Mapping[str, Any]]:
        """The real data, and what the manifest says of them."""
        raise NotImplementedError

    def draw(self, path: Path, state: GANState, source: Source, key: jax.Array) -> None:
        """Draw a picture of `state` to `path`; the same key gives the same latents."""
        raise NotImplementedError

    def walk(self, path: Path, state: GANState, key: jax.Array) -> None:
        """Draw walks through the latent space of `state` to `path`, a row each; where there is nothing to be
        seen on them, as with points, no picture."""

    def distance(self, state: GANState, source: Source, key: jax.Array) -> float:
        """Where `select_every` > 0: how far `state` is from what is wanted. The least is kept."""
        raise NotImplementedError

    def score(self, state: GANState, source: Source, key: jax.Array) -> dict[str, float]:
        """Scores of the final state, by name."""
        return {}
