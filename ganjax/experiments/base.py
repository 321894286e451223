"""What all experiments have in common. Imports nothing slow, because `--help` imports this module."""

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
    select_by: ClassVar[str] = ""  # name of the distance that `distance` returns
    large_temporaries: ClassVar[bool] = False  # a step allocates megabytes: see `system/process.py`
    keras_defaults: ClassVar[bool] = False  # train with these settings: see `system/keras_settings.py`

    seed: Seed = 0
    """Seed of the PRNG key from which everything random follows."""
    steps: Steps = 1000
    """Number of updates of the generator."""
    batch: Batch = 64
    """Real samples per update; as many are generated."""
    log_every: Steps = 10
    """Number of steps between rows of metrics.csv."""
    picture_every: StepsOrNever = 100
    """Number of steps between pictures (frames of film.gif); 0 for none."""

    def __post_init__(self) -> None:
        check_settings(self)

    @cached_property
    def gan(self) -> GAN:
        """The GAN: two Keras models, a loss, two optimisers."""
        raise NotImplementedError

    def load(self, progress: bool) -> tuple[Source, Mapping[str, Any]]:
        """The real data, and their description in the manifest: JSON values by name."""
        raise NotImplementedError

    def draw(self, path: Path, state: GANState, source: Source, key: jax.Array) -> None:
        """Draw a picture of `state` to `path`; the same key gives the same latents."""
        raise NotImplementedError

    def walk(self, path: Path, state: GANState, key: jax.Array) -> None:
        """Draw walks through the latent space of `state` to `path`, one per row. Experiments on points draw
        none."""

    def distance(self, state: GANState, source: Source, key: jax.Array) -> float:
        """With `select_every` > 0: a distance; the state with the smallest one is kept."""
        raise NotImplementedError

    def score(self, state: GANState, source: Source, key: jax.Array) -> dict[str, float]:
        """Scores of the final state, by name."""
        return {}
