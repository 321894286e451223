"""How a path's process measures its memory."""

import platform

import numpy as np
import pytest

from benchmarks.throughput.paths import protocol

BLOCK = 300_000_000


@pytest.mark.skipif(platform.system() != "Linux", reason="only Linux can reset the peak")
def test_settling_resets_the_peak():
    block = np.ones(BLOCK, np.uint8)
    with_block = protocol.resident_set()
    del block
    assert protocol.resident_set() > with_block - 0.1 * BLOCK  # the peak, not the memory in use
    protocol.settle()
    settled = protocol.resident_set()
    assert settled < with_block - 0.9 * BLOCK
    again = np.ones(BLOCK, np.uint8)
    assert protocol.resident_set() > settled + 0.9 * again.nbytes
