"""`ganjax train`, in this process or, for signals and terminals, in one of its own."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import jax
import pytest
import small_runs
from small_runs import ended

from ganjax import training
from ganjax.experiments import EXPERIMENTS
from ganjax.system import compilation_cache, process
from ganjax.training import RunFolder


@pytest.fixture(autouse=True)
def _dots_are_an_experiment(monkeypatch, tmp_path):
    monkeypatch.setitem(EXPERIMENTS, "dots", small_runs.Dots)
    monkeypatch.chdir(tmp_path)


def test_a_run_writes_its_folder_and_names_its_files(dots, capsys):
    assert ended("train dots") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "mean_radius" in err
    assert "runs/dots-0: see report.html, samples/final.png and film.gif" in err
    assert RunFolder("runs/dots-0").metrics_path.read_bytes() == dots.metrics_path.read_bytes()

    assert ended("train dots") == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert "--overwrite" in err
    assert ended("train dots --overwrite --quiet --steps 2 --seed 0") == 0
    assert capsys.readouterr() == ("", "")
    assert RunFolder("runs/dots-0").read_manifest()["steps_done"] == 2


def test_flags_reach_the_experiment():
    assert ended("train dots --seed 7 --steps 2 --log-every 1 --learning-rate 0.5 --out here/it --quiet") == 0
    settings = RunFolder("here/it").read_manifest()["settings"]
    assert small_runs.Dots(**settings) == small_runs.Dots(seed=7, steps=2, log_every=1, learning_rate=0.5)
    assert not Path("runs").exists()


def test_a_run_that_diverges_exits_with_2_and_names_its_checkpoints(capsys):
    assert ended("train dots --learning-rate 1e30 --quiet") == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert "not finite" in err
    assert "checkpoints" in err
    assert RunFolder("runs/dots-0").read_manifest()["status"] == "diverged"


def test_a_folder_that_is_not_a_run_is_not_overwritten(capsys):
    Path("thesis.txt").write_text("ten years of work")
    assert ended("train dots --out . --overwrite") == 2
    assert "not a run" in capsys.readouterr().err
    assert Path("thesis.txt").read_text() == "ten years of work"


def test_a_wrong_path_of_pictures_leaves_nothing_in_the_way(capsys):
    for _ in range(2):
        assert ended("train cartoon --size 32 --width 1 --data nowhere --cache-dir cache") == 2
        err = capsys.readouterr().err
        assert small_runs.one_line(err)
        assert "nowhere" in err


@pytest.mark.parametrize(
    ("flags", "called"),
    [
        ("", ["allocator", "compilations"]),
        ("--stock-allocator", ["compilations"]),
        ("--no-compilation-cache", ["allocator"]),
        ("--stock-allocator --no-compilation-cache", []),
    ],
)
def test_changes_to_the_process_can_be_switched_off(flags, called, monkeypatch):
    seen = []
    monkeypatch.setattr(process, "keep_freed_memory", lambda one_arena: seen.append("allocator"))
    monkeypatch.setattr(compilation_cache, "keep_compilations", lambda: seen.append("compilations"))
    assert ended(f"train dots --steps 1 --quiet {flags}") == 0
    assert seen == called


OUT_OF_MEMORY = [
    jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nFrames"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["in JAX", "in Python"])
def test_too_little_memory_is_reported_in_one_line(capsys, monkeypatch, error):
    def fit(*_, **__):
        raise error

    monkeypatch.setattr(training, "fit", fit)
    assert ended("train dots") == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert "--batch" in err


# In a process of its own.

TRAIN = [sys.executable, "-W", "error", "-c", "import small_runs; small_runs.command_line()", "train", "dots"]


def started(base, *words, **options):
    return subprocess.Popen([*TRAIN, *words], env=small_runs.environment(base), text=True, **options)


def wait_for(path, process, seconds=120):
    until = time.monotonic() + seconds
    while not Path(path).exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)


def test_ctrl_c_saves_tells_how_to_continue_and_exits_with_130(base):
    process = started(base, "--steps", "100000000", "--picture-every", "500", stderr=subprocess.PIPE)
    wait_for("runs/dots-0/samples/step_0000500.png", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in said
    last = said.splitlines()[-1]
    for part in ("stopped at step", "of 100000000", "ganjax sample runs/dots-0", "ganjax resume runs/dots-0"):
        assert part in last
    folder = RunFolder.open("runs/dots-0")
    manifest = folder.read_manifest()
    assert manifest["status"] == "interrupted"
    assert folder.checkpoint_path(manifest["steps_done"]).exists()
    for path in (folder.model_path("generator"), folder.samples / "final.png", folder.path / "film.gif"):
        assert path.exists()


def test_a_terminal_shows_a_bar(base):
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, 100))
    process = started(base, "--steps", "4", stdin=its, stdout=its, stderr=its)
    os.close(its)
    seen = b""
    while select.select([ours], [], [], 120)[0]:
        try:
            seen += os.read(ours, 10_000)
        except OSError:  # on Linux: the other end is closed
            break
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert "4/4" in seen.decode()
    assert "steps/s" in seen.decode()


QUIET_AND_PLAIN = """
import sys, small_runs
train = ["ganjax", "train", "dots", "--steps", "2"]
for sys.argv in ([*train, "--out", "quiet", "--quiet"], [*train, "--out", "plain"]):
    try:
        small_runs.command_line()
    except SystemExit as end:
        print("ended with", end.code, file=sys.stderr, flush=True)
"""


def test_elsewhere_there_are_plain_lines_and_quiet_prints_nothing(base):
    """Both in one process, of which starting takes longest."""
    result = small_runs.python(base, "-c", QUIET_AND_PLAIN)
    assert (result.returncode, result.stdout) == (0, "")
    quiet, plain, rest = result.stderr.split("ended with 0\n")
    assert (quiet, rest) == ("", "")
    assert "step 2/2 " in plain
    assert "\r" not in plain
