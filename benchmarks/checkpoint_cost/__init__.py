"""The time that checkpoints take: `python -m benchmarks checkpoint-cost`."""
