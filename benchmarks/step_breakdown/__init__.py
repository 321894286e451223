"""The time of each part of a training step: `python -m benchmarks step-breakdown`."""
