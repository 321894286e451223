"""Recipes on toy landscapes over many seeds, beside the published figures; sweeps of a setting."""
