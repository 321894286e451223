"""Rights of files that hold back even root, who may run the tests."""

import contextlib
import ctypes
import os
import sys

import pytest


@contextlib.contextmanager
def rights_that_count():
    """In which rights hold back whoever runs the tests: root gives up what lets it read and write all."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("nothing holds root back here")
    libc, u32 = ctypes.CDLL(None, use_errno=True), ctypes.c_uint32
    header = (u32 * 2)(0x20080522, 0)  # version 3, this thread
    held = (u32 * 6)()  # effective, permitted, inheritable; and the upper halves of them
    assert libc.capget(header, held) == 0
    reduced = (u32 * 6)(*held)
    reduced[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, reduced) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0
