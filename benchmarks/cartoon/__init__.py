"""Which training recipe draws the best cartoon faces: `python -m benchmarks recipes`."""
