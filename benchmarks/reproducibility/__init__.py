"""Which conditions leave a run the same bit for bit: `python -m benchmarks reproducibility`."""
