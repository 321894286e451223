"""What a program needs around the core: atomic files, locks, signals, memory, progress, versions."""

from ganjax.system.errors import DamagedError, UserError

__all__ = ["DamagedError", "UserError"]
