"""The allocator is told, on glibc, to keep what it has been given."""

import platform
import subprocess
import sys

import pytest

from ganjax.training.allocator import keep_freed_memory

RESIDENT_AFTER_FREEING = """
import ctypes, sys
from ganjax.training.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
block = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(200_000_000)))
ctypes.memset(block, 1, 200_000_000)
libc.free(block)
print(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
"""


def test_says_whether_it_was_done():
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told anything")
def test_freed_memory_stays_with_the_process():
    kilobytes = {}
    for mode in ("keep", "stock"):
        ended = subprocess.run(
            [sys.executable, "-c", RESIDENT_AFTER_FREEING, mode], capture_output=True, text=True, check=True
        )
        kilobytes[mode] = int(ended.stdout)
    assert kilobytes["keep"] - kilobytes["stock"] > 150_000
