"""Two result folders of the throughput suite, side by side."""
