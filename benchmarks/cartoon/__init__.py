"""Which recipe draws the best cartoon faces, and by which scores."""
