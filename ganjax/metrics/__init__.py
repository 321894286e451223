"""How good a generator is, as pure functions of samples."""

from ganjax.metrics.modes import Modes, count_modes

__all__ = ["Modes", "count_modes"]
