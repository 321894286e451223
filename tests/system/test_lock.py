"""Only one process at a time holds a run folder, at most for its lifetime."""

import os
import platform
import signal
import subprocess
import sys

import pytest

from ganjax.system.errors import UserError
from ganjax.system.lock import Lock

HOLD = """
import sys, time
from pathlib import Path
from ganjax.system.lock import Lock
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(1000)
"""


def test_a_second_process_is_refused_until_the_first_is_done(tmp_path):
    with Lock(tmp_path):
        with pytest.raises(UserError, match=f"process {os.getpid()} on {platform.node()}"), Lock(tmp_path):
            pass
        assert (tmp_path / ".lock").read_text() == f"process {os.getpid()} on {platform.node()}\n"
    assert (tmp_path / ".lock").read_text() == ""
    with Lock(tmp_path):
        pass


def test_an_error_in_the_block_releases_it(tmp_path):
    with pytest.raises(KeyError), Lock(tmp_path):
        raise KeyError
    with Lock(tmp_path):
        pass


def test_a_dead_process_blocks_nobody(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"process {process.pid} on"), Lock(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
    assert f"process {process.pid}" in (tmp_path / ".lock").read_text()
    with Lock(tmp_path):
        assert f"process {os.getpid()}" in (tmp_path / ".lock").read_text()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b" \n"])
def test_a_lock_without_a_name_is_held_by_another_process(tmp_path, content):
    with Lock(tmp_path):
        (tmp_path / ".lock").write_bytes(content)
        with pytest.raises(UserError, match="in use by ") as caught, Lock(tmp_path):
            pass
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), Lock(tmp_path / "nowhere"):
        pass
