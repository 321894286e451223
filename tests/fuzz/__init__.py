"""Readers of files from elsewhere, fed with files that were made to break them: `python -m tests.fuzz`."""
