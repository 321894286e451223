"""Scoring a run's generator: how its samples compare with real ones, and what real samples get themselves."""
