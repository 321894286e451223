"""What checkpoints cost a run."""
