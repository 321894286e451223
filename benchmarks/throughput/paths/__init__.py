"""The paths by which a workload is trained, each run as a separate process (see `protocol.py`).

`tensorflow_keras` imports only TensorFlow, Keras, NumPy and the standard library; the others use JAX.
"""
