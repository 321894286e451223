"""Convolutions whose values and derivatives are fast: what `ganjax.networks.fast` puts under a network.

The networks stay stock Keras layers and know nothing of it: `fast_convolutions` (../fast.py) traces the
function that calls them and evaluates its program equation by equation (../interpreter.py), with other
convolutions in the place of some (strided.py):

- native ones that are each other's derivatives (operations.py), on a GPU or TPU;
- on a CPU Winograd's (winograd.py; transforms.py, plans.py, minimal_filtering.py), with a batch-last layout
  carried from one to the next (batch_last.py).
"""
