"""All that makes stock networks fast, as one transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ganjax.networks.convolution import fast_convolutions
from ganjax.networks.sines import fast_sines


def fast_networks(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with fast convolutions (`fast_convolutions`) and fast sines (`fast_sines`).

    Up to rounding; derivatives must be taken of the *returned* function.
    """
    return fast_convolutions(fast_sines(function))
