"""What all experiments on points have in common: the data, the picture, the scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ganjax.experiments.base import Experiment

if TYPE_CHECKING:
    import jax

    from ganjax.datasets.batches import Source
    from ganjax.datasets.toy import Mixture
    from ganjax.state import GANState


class Distribution(Protocol):
    """A distribution of points to learn: its name in `datasets.toy`, and its size."""

    name: ClassVar[str]
    dim: ClassVar[int]
    extent: ClassVar[float]  # the picture shows [-extent, extent]^2 of the first two coordinates
    scale: ClassVar[float]  # root mean square of all coordinates of the data, used as the unit of length


@dataclasses.dataclass(frozen=True, kw_only=True)
class Points(Experiment):
    """Points of a known distribution: fresh ones for each step, and some to draw beside generated ones."""

    keras_defaults: ClassVar[bool] = True

    @property
    def distribution(self) -> type[Distribution]:
        """The distribution to learn."""
        raise NotImplementedError

    @property
    def mixture(self) -> Mixture | None:
        """The real distribution, if it is a mixture of Gaussians."""
        from ganjax.datasets import toy

        return toy.MIXTURES.get(self.distribution.name)

    @property
    def sample(self) -> Callable[[jax.Array, int], jax.Array]:
        """`(key, n) -> (n, dim)` float32 real points, from `datasets.toy`."""
        from ganjax.datasets import toy

        return self.mixture or getattr(toy, self.distribution.name)

    def load(self, progress: bool) -> tuple[Source, Mapping[str, Any]]:
        from ganjax.datasets.batches import Sampled

        return Sampled(self.sample), {"name": self.distribution.name}

    def draw(self, path: Path, state: GANState, source: Source, key: jax.Array) -> None:
        from ganjax import sampling, viewing

        extent = self.distribution.extent
        ax = viewing.plot_landscape(
            self.sample(key, 2000),
            sampling.generate(self.gan, state, key, 2000),
            # The logits of D are a surface over the plane only if it takes single points of two coordinates.
            (lambda x: sampling.discriminate(self.gan, state, x))
            if self.gan.packing == 1 and self.distribution.dim == 2
            else None,
            limits=(-extent, extent, -extent, extent),
        )
        viewing.save_figure(path, ax.figure)

    def score(self, state: GANState, source: Source, key: jax.Array) -> dict[str, float]:
        """How well the modes are covered (`metrics.mode_scores`), if the distribution has modes.

        A score without a value, such as the width of modes that have no samples, is left out.
        """
        if (mixture := self.mixture) is None:
            return {}
        import jax.numpy as jnp

        from ganjax import metrics, sampling

        samples = sampling.generate(self.gan, state, key, 2500)
        scores = metrics.mode_scores(
            samples, jnp.asarray(mixture.centers), mixture.sigma, jnp.asarray(mixture.weights)
        )
        values = {name: float(value) for name, value in scores._asdict().items()}
        return {name: value for name, value in values.items() if math.isfinite(value)}
