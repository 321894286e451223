"""Who trains a workload: one module a family, each run as a process of its own (`protocol.py`).

`tensorflow_keras` imports TensorFlow, Keras, NumPy and the standard library only; the others JAX.
"""
