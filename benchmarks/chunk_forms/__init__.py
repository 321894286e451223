"""Which form of a chunk of steps is fastest: a compiled loop, or queued calls."""
