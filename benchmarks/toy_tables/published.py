"""Published figures of toy recipes, which are shown beside measured ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Figure:
    """A mean, and its standard error if it is known."""

    mean: float
    error: float | None = None


@dataclasses.dataclass(frozen=True)
class Published:
    """A row of a paper's table.

    Attributes:
        recipe: the experiment with this recipe; None if ganjax has none.
        title: the paper's name for the method.
        landscape: the distribution on which it was measured.
        captured: number of modes captured.
        high_quality: share of samples within 3 sigma, in per cent.
        reverse_kl: in nats; None if not reported.
        source: paper and table.
    """

    recipe: str | None
    title: str
    landscape: str
    captured: Figure
    high_quality: Figure
    reverse_kl: Figure | None
    source: str

    def figures(self) -> dict[str, Figure]:
        """The reported figures by the names of the measures."""
        names = ("captured", "high_quality", "reverse_kl")
        return {name: figure for name in names if (figure := getattr(self, name)) is not None}


PACGAN = "Lin et al. 2018, arXiv:1712.04086, table 1"
VEEGAN = "Srivastava et al. 2017, arXiv:1705.07761, table 1, by its own protocol"

PUBLISHED = (
    Published("pacgan1", "GAN", "ring", Figure(6.3, 0.5), Figure(98.2, 0.2), Figure(0.45), PACGAN),
    Published("pacgan1", "GAN", "grid", Figure(17.3, 0.8), Figure(94.8, 0.7), Figure(0.70), PACGAN),
    Published(None, "ALI", "ring", Figure(6.6, 0.3), Figure(97.6, 0.4), Figure(0.36), PACGAN),
    Published(None, "ALI", "grid", Figure(24.1, 0.4), Figure(95.7, 0.6), Figure(0.14), PACGAN),
    Published("pacgan2", "PacGAN2", "ring", Figure(7.9, 0.1), Figure(95.6, 2.0), Figure(0.07), PACGAN),
    Published("pacgan2", "PacGAN2", "grid", Figure(23.8, 0.7), Figure(91.3, 0.8), Figure(0.13), PACGAN),
    Published("pacgan4", "PacGAN4", "ring", Figure(7.8, 0.1), Figure(95.9, 1.4), Figure(0.07), PACGAN),
    Published("pacgan4", "PacGAN4", "grid", Figure(24.8, 0.2), Figure(93.6, 0.6), Figure(0.04), PACGAN),
    Published(None, "VEEGAN", "ring", Figure(8), Figure(52.9), None, VEEGAN),
    Published(None, "VEEGAN", "grid", Figure(24.6), Figure(40), None, VEEGAN),
)


def of(landscape: str, recipe: str | None) -> Iterable[Published]:
    """The rows of one recipe on one landscape; with None, those of methods that ganjax does not have."""
    return (row for row in PUBLISHED if (row.landscape, row.recipe) == (landscape, recipe))
