"""Printing to closed pipes, full disks, narrow terminals and ASCII encodings."""

import os
import pty
import shlex
import subprocess
import sys
import termios
from pathlib import Path

import pytest
import small_runs

from ganjax.training import RunFolder

GANJAX = [sys.executable, "-W", "error", "-m", "ganjax"]
DOTS = [sys.executable, "-W", "error", "-c", "import small_runs; small_runs.command_line()"]


def ended(base, words, command=GANJAX, redirect="", **options):
    """A process that a shell starts with streams redirected: `>&-` closes standard output."""
    line = f"{shlex.join([*command, *map(str, words)])} {redirect}"
    environment = small_runs.environment(base) | options.pop("env", {})
    return subprocess.run(
        ["sh", "-c", line], env=environment, capture_output=True, text=True, timeout=300, **options
    )


@pytest.fixture
def closed_pipe():
    """The writing end of a pipe whose reading end is closed, as after `| head -0`."""
    ours, its = os.pipe()
    os.close(ours)
    yield its
    os.close(its)


@pytest.mark.parametrize("words", ["--help", "train --help", "train ring --help", "info"])
def test_a_closed_pipe_ends_the_command_without_a_message(base, closed_pipe, words):
    result = subprocess.run(
        [*GANJAX, *words.split()],
        env=small_runs.environment(base),
        stdout=closed_pipe,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        ("--version", {}),
        ("train --help", {}),
        ("train ring --help", {}),
        ("train ring --help", {"COLUMNS": "20"}),
    ],
)
def test_a_closed_standard_output_is_not_an_error(base, words, environment):
    result = ended(base, words.split(), redirect=">&-", env=environment)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_reported_in_one_line(base):
    result = ended(base, ["train", "--help"], redirect=">/dev/full")
    assert (result.returncode, result.stderr) == (2, "ganjax: No space left on device\n")


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full"])
def test_the_exit_code_does_not_need_standard_error(base, redirect):
    assert ended(base, ["train", "rign"], redirect=redirect).returncode == 2


def test_a_run_goes_on_when_its_pipe_is_closed(base, closed_pipe, tmp_path):
    words = [*DOTS, "train", "dots", "--steps", "2", "--out", "run"]
    result = subprocess.run(
        words, env=small_runs.environment(base), stderr=closed_pipe, cwd=tmp_path, timeout=300
    )
    assert result.returncode == 0
    assert RunFolder(tmp_path / "run").read_manifest()["status"] == "finished"
    assert (tmp_path / "run" / "generator.keras").exists()


def test_help_fits_a_terminal_of_20_columns(base):
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, 20))
    environment = {k: v for k, v in small_runs.environment(base).items() if k not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [*GANJAX, "train", "cartoon", "--help"], env=environment, stdout=its, stderr=its
    )
    os.close(its)
    said = b""
    while True:
        try:
            part = os.read(ours, 10_000)
        except OSError:  # on Linux: the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait(timeout=60) == 0
    lines = said.decode().replace("\r", "").splitlines()
    assert "--seed INT" in lines
    assert not set("│╭╮╰╯─") & set(said.decode())
    # Only single words, such as flags, may be wider.
    assert all(len(line) <= 20 or len(line.split()) == 1 for line in lines)


ASCII = [
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LANG": "C", "LC_ALL": "", "PYTHONUTF8": "", "PYTHONIOENCODING": ""},
]


@pytest.mark.parametrize("variables", ASCII, ids=lambda variables: next(iter(variables)))
def test_help_and_errors_can_be_printed_in_ascii(base, variables):
    result = ended(base, ["train", "ring", "--help"], env=variables)
    assert (result.returncode, result.stderr) == (0, "")
    assert "--seed INT" in result.stdout
    result = ended(base, ["train", "ring", "--größe", "3"], env=variables)
    assert (result.returncode, result.stdout) == (2, "")
    assert small_runs.one_line(result.stderr)
    assert result.stderr.startswith("ganjax: Unrecognized options: --gr")


@pytest.mark.parametrize("variables", ASCII[1:2], ids=["LC_ALL"])
def test_file_names_can_be_printed_in_ascii(base, dots, tmp_path, variables):
    (tmp_path / "Läufe").symlink_to(dots.path)
    words = ["sample", "Läufe", "--n", "2", "--out", "größe.npz"]
    result = ended(base, words, env=variables, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.isascii()
    assert (tmp_path / "größe.npz").exists()
    result = ended(base, ["sample", "Müll"], env=variables, cwd=tmp_path)
    assert result.returncode == 2
    assert small_runs.one_line(result.stderr)
