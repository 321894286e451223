"""Convolutions with fast values and derivatives, which `ganjax.networks.fast` puts into networks.

The networks stay stock Keras layers. `fast_convolutions` (../fast.py) traces the function that calls them,
evaluates its program equation by equation (../interpreter.py), and replaces convolutions (strided.py):

- on a GPU or TPU by native ones that are each other's derivatives (operations.py);
- on a CPU by Winograd convolutions (winograd.py, transforms.py, plans.py, minimal_filtering.py). Images keep
a
  batch-last layout from one to the next (batch_last.py).
"""
