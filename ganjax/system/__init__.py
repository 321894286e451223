"""What a program needs of the machine it runs on: files that are whole, locks, signals, memory, versions."""

from ganjax.system.errors import DamagedError, UserError

__all__ = ["DamagedError", "UserError"]
