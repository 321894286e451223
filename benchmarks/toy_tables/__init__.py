"""Scores of toy recipes over many seeds, beside published ones; sweeps: `python -m benchmarks toy-tables`."""
