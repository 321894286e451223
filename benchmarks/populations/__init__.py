"""Seconds of many seeds as one population, and one after the other."""
