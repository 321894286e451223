"""Faces per second on the page of `ganjax explore --serve`: `python -m benchmarks serve`."""
