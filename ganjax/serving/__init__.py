"""An interactive page for a generator, served to this machine only: `serve`."""

from ganjax.serving.server import serve

__all__ = ["serve"]
