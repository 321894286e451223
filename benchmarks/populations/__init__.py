"""Training many seeds as one population, or one after another: `python -m benchmarks populations`."""
