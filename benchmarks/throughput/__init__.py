"""Training steps per second of ganjax, Keras on JAX, and TensorFlow: `python -m benchmarks throughput`."""
