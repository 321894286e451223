"""The fastest way to run a chunk of steps: `python -m benchmarks chunk-forms`."""
