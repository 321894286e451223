"""Batches whose samples carry labels: what a conditional game is played with."""

from __future__ import annotations

from typing import NamedTuple

import jax


class Labelled(NamedTuple):
    """Samples and what each of them shows.

    Attributes:
        samples: `(batch, *sample_shape)` floating point.
        labels: `(batch, *label_shape)` floating point, for instance one-hot; None in a game without.
    """

    samples: jax.Array
    labels: jax.Array | None = None


def labelled(real: jax.Array | Labelled) -> Labelled:
    """`real` with its labels, None where it is samples alone."""
    return real if isinstance(real, Labelled) else Labelled(real)
