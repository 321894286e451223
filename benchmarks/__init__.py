"""How fast ganjax is: `python -m benchmarks`."""
