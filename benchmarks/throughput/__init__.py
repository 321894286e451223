"""Steps a second of ganjax, Keras on JAX and TensorFlow, on the same work."""
