"""Two results of the throughput suite compared: `python -m benchmarks compare`."""
