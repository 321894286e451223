"""Strided convolutions whose derivatives are fast, under any function that already uses them.

The networks stay stock Keras layers and know nothing of it: :func:`fast_convolutions` rewrites the
function that calls them (rewriting.py) in terms of three operations that are each other's derivatives
(operations.py).
"""

from .rewriting import fast_convolutions

__all__ = ["fast_convolutions"]
