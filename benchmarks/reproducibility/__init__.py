"""Under which conditions runs are the same to the bit."""
