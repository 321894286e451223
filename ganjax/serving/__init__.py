"""A page on this machine to play with a generator: `serve`."""

from ganjax.serving.server import serve

__all__ = ["serve"]
