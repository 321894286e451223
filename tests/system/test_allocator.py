"""The allocator is told, on glibc, to keep what it has been given."""

import platform
import re
import subprocess
import sys

import pytest

RESIDENT_AFTER_FREEING = """
import ctypes, sys
from ganjax.system.process import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
block = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(200_000_000)))
ctypes.memset(block, 1, 200_000_000)
libc.free(block)
print(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
"""


ARENAS_OF_TWO_THREADS = """
import ctypes, sys, threading
from ganjax.system.process import keep_freed_memory
assert keep_freed_memory(one_arena=sys.argv[1] == "one")
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
thread = threading.Thread(target=lambda: libc.malloc(ctypes.c_size_t(100)))
thread.start()
thread.join()
sys.stdout.flush()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.parametrize("one_arena", [False, True])
def test_says_whether_it_was_done(one_arena):
    line = f"import ganjax.system.process as it; print(it.keep_freed_memory(one_arena={one_arena}))"
    ended = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert ended.stdout == f"{platform.libc_ver()[0] == 'glibc'}\n"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
@pytest.mark.parametrize(("asked", "arenas"), [("one", {"0"}), ("several", {"0", "1"})])
def test_arenas(asked, arenas):
    ended = subprocess.run(
        [sys.executable, "-c", ARENAS_OF_TWO_THREADS, asked], capture_output=True, text=True, check=True
    )
    assert arenas <= set(re.findall(r'<heap nr="(\d+)">', ended.stdout))
    assert ("1" in re.findall(r'<heap nr="(\d+)">', ended.stdout)) == (asked == "several")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told anything")
def test_freed_memory_stays_with_the_process():
    kilobytes = {}
    for mode in ("keep", "stock"):
        ended = subprocess.run(
            [sys.executable, "-c", RESIDENT_AFTER_FREEING, mode], capture_output=True, text=True, check=True
        )
        kilobytes[mode] = int(ended.stdout)
    assert kilobytes["keep"] - kilobytes["stock"] > 150_000
