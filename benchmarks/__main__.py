"""`python -m benchmarks throughput EXPERIMENT ...`: steps a second of named experiments."""

from __future__ import annotations

import sys

from benchmarks.throughput import main

USAGE = (
    "usage: python -m benchmarks throughput [EXPERIMENT ...] [--rounds INT] [--seconds FLOAT] [--out FILE]"
)

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] != "throughput":
        sys.exit(USAGE)
    main(sys.argv[2:])
