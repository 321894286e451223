"""Scoring what a run has learnt: its samples beside real ones, every score beside its floor."""
