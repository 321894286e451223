"""Measurements of ganjax's speed, reproducibility and quality: `python -m benchmarks`."""
