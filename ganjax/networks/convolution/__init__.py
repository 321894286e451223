"""Convolutions whose values and derivatives are fast, under any function that already uses them.

The networks stay stock Keras layers and know nothing of it: :func:`fast_convolutions` traces the function
that calls them (rewriting.py) and evaluates its program equation by equation (../interpreter.py), with other
convolutions in the place of some (strided.py):

- native ones that are each other's derivatives (operations.py), on a GPU or TPU;
- on a CPU Winograd's (winograd.py; transforms.py, plans.py, minimal_filtering.py), with a batch-last layout
  carried from one to the next (batch_last.py).
"""

from .rewriting import fast_convolutions

__all__ = ["fast_convolutions"]
