"""File permissions that apply even to root, who may run the tests."""

import contextlib
import ctypes
import os
import sys

import pytest


@contextlib.contextmanager
def rights_that_count():
    """A block in which file permissions apply: root gives up the capabilities to ignore them."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("permissions do not apply to root on this system")
    libc, u32 = ctypes.CDLL(None, use_errno=True), ctypes.c_uint32
    header = (u32 * 2)(0x20080522, 0)  # version 3, this thread
    held = (u32 * 6)()  # effective, permitted and inheritable; lower halves, then upper ones
    assert libc.capget(header, held) == 0
    reduced = (u32 * 6)(*held)
    reduced[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, reduced) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0
