"""`ganjax resume`, and `train` in the folder of a run: messages, and that nothing is lost."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import kills
import pytest
import small_runs
from dying import Operations
from small_runs import ended

from ganjax.experiments import EXPERIMENTS
from ganjax.runs.saved_models import SavedGenerator
from ganjax.system.errors import UNFINISHED
from ganjax.system.lock import Lock
from ganjax.training import RunFolder

TRAIN = "train nearest --quiet --checkpoint-every 3steps --out"
RUN = Path("run")


@pytest.fixture(autouse=True)
def _nearest_is_an_experiment(monkeypatch, tmp_path):
    monkeypatch.setitem(EXPERIMENTS, "nearest", small_runs.Nearest)
    monkeypatch.setitem(EXPERIMENTS, "dots", small_runs.Dots)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def whole(base):
    """Folder of a run that was never interrupted."""
    if not (base / "resume-whole").exists():
        EXPERIMENTS["nearest"] = small_runs.Nearest
        assert ended(f"{TRAIN} {base / 'resume-whole'}") == 0
        del EXPERIMENTS["nearest"]
    return base / "resume-whole"


@pytest.fixture
def unfinished(monkeypatch):
    """A run that Ctrl-C stopped at step 4."""

    def draw(self, path, state, source, key):
        small_runs.Dots.draw(self, path, state, source, key)
        if path.name == "step_0000004.png":
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(small_runs.Nearest, "draw", draw, raising=False)
        assert ended(f"{TRAIN} run") == 130
    return RunFolder(RUN)


def refusal(line, capsys):
    """The message of a command that fails and changes nothing."""
    before = kills.content(RUN)
    assert ended(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert small_runs.one_line(err)
    assert kills.content(RUN) == before
    return err


def test_it_continues_to_the_same_result_and_then_says_that_it_is_finished(unfinished, whole, capsys):
    assert unfinished.read_manifest()["status"] == "interrupted"
    assert ended("resume run --quiet") == 0
    assert kills.content(RUN) == kills.content(whole)
    capsys.readouterr()
    before = RUN.joinpath("manifest.json").read_bytes()
    assert ended("resume run") == 0
    assert "run is finished: --steps N, above 12, makes it longer" in capsys.readouterr().err
    assert RUN.joinpath("manifest.json").read_bytes() == before


def test_train_suggests_resume_and_continues_with_it(unfinished, whole, capsys):
    said = refusal("train nearest --out run", capsys)
    assert "not finished (4 of 12 steps): --resume continues" in said
    assert "give only one of them" in refusal("train nearest --out run --resume --overwrite", capsys)
    assert "its seed is 0, not 1" in refusal("train nearest --out run --resume --seed 1", capsys)
    assert "its batch is 16, not 8" in refusal("train nearest --out run --resume --batch 8", capsys)
    assert "its experiment is 'nearest', not 'dots'" in refusal("train dots --out run --resume", capsys)
    assert ended("train nearest --out run --resume --quiet") == 0
    assert kills.content(RUN) == kills.content(whole)


def test_train_with_resume_starts_a_new_run_if_there_is_none(whole):
    assert ended(f"{TRAIN} run --resume") == 0
    assert kills.content(RUN) == kills.content(whole)


def test_steps_make_it_longer_but_not_shorter(unfinished, capsys):
    assert "4 steps already" in refusal("resume run --steps 3", capsys)
    assert "--steps must be" in refusal("resume run --steps 0", capsys)
    assert ended("resume run --quiet --steps 15") == 0
    manifest = unfinished.read_manifest()
    assert (manifest["status"], manifest["steps_done"], manifest["settings"]["steps"]) == ("finished", 15, 12)
    assert "finished run" in refusal("train nearest --out run", capsys)


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_a_run_is_an_error(folder, capsys):
    assert ended(f"resume {folder}") == 2
    assert "no run" in capsys.readouterr().err


def test_without_a_manifest_train_suggests_resume(unfinished, whole, capsys):
    unfinished.manifest_path.unlink()
    assert "`ganjax resume run` continues" in refusal("train nearest --out run", capsys)
    assert "`ganjax resume run` continues" in refusal("train nearest --out run --overwrite", capsys)
    assert ended("resume run --quiet") == 0
    assert kills.content(RUN) == kills.content(whole)


def test_a_run_of_an_older_ganjax_is_not_changed(unfinished, capsys):
    manifest = json.loads(unfinished.manifest_path.read_text())
    unfinished.manifest_path.write_text(json.dumps(manifest | {"schema": 1}))
    for line in ("resume run", "train nearest --out run --resume"):
        assert "older ganjax" in refusal(line, capsys)


def test_a_diverged_run_is_not_continued(capsys):
    assert ended("train dots --learning-rate 1e30 --quiet --out run") == 2
    said = capsys.readouterr().err
    assert "not finite" in said
    for line in ("resume run", "train dots --learning-rate 1e30 --out run --resume"):
        again = refusal(line, capsys)
        assert "diverged, and would" in again
        assert re.search(r"step \d+ ", said)[0] in again


# Other processes in the same folder


def test_the_second_process_names_the_first(unfinished, whole, capsys):
    with Lock(RUN):
        for line in ("resume run", "train nearest --out run --overwrite", "train nearest --out run --resume"):
            said = refusal(line, capsys)
            assert f"run is in use by process {os.getpid()} on " in said
    assert ended("resume run --quiet") == 0
    assert kills.content(RUN) == kills.content(whole)


def test_a_folder_that_cannot_be_written(unfinished, whole, capsys, monkeypatch):
    plain = Path.open

    def refuse(path, mode="r", *words, **options):
        if set(mode) & set("wa+"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path, mode, *words, **options)

    # Not by permissions: tests may run as root, which may write anywhere.
    monkeypatch.setattr(Path, "open", refuse)
    said = refusal("resume run", capsys)
    assert "Permission denied: run/.lock" in said


# A full disk


class Full(Operations):
    """From the `skip`-th write to a kind of file on, the disk is full."""

    def __init__(self, kind, skip, log):
        super().__init__("run", log, at=0, moment="during")
        self.kind, self.skip = kind, skip

    def due(self, number, name, path):
        found = name == "write" and kills.kind(path) == self.kind
        self.skip -= found
        return found and self.skip < 0

    def end(self):
        raise OSError(errno.ENOSPC, "No space left on device")


FILES = {  # with the number of writes that still succeed
    "best state": ("run/checkpoints/best_", 1),
    "checkpoint": ("run/checkpoints/step_", 9),
    "curves": ("run/curves.png", 0),
    "film": ("run/film.gif", 0),
    "manifest": ("run/manifest.json", 1),
    "metrics": ("run/metrics.csv", 1),
    "model": ("run/generator.keras", 3),
    "picture": ("run/samples/", 1),
    "report": ("run/report.html", 0),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_full_disk_is_reported_and_loses_nothing(whole, tmp_path, capsys, monkeypatch, kind):
    name, skip = FILES[kind]
    with monkeypatch.context() as patch:
        Full(kind, skip, tmp_path / "log").watch(patch.setattr)
        assert ended(f"{TRAIN} run") == 2
    said = capsys.readouterr().err
    assert small_runs.one_line(said)
    assert f"No space left on device: {name}" in said
    assert ".writing-" not in said
    assert "`ganjax resume run`" in said
    assert ended("resume run --quiet") == 0
    assert kills.content(RUN) == kills.content(whole)


@pytest.mark.parametrize("kind", ["lock", "manifest"])
def test_a_disk_that_is_full_from_the_start(whole, tmp_path, capsys, monkeypatch, kind):
    with monkeypatch.context() as patch:
        Full(kind, 0, tmp_path / "log").watch(patch.setattr)
        assert ended(f"{TRAIN} run") == 2
    said = capsys.readouterr().err
    assert small_runs.one_line(said)
    assert "No space left on device" in said
    assert ended(f"{TRAIN} run") == 0
    assert kills.content(RUN) == kills.content(whole)


# In a process of its own


STUCK = """
import hashlib, signal, sys, small_runs

where = sys.argv.pop(1)

def stuck():
    print("stuck", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # minutes in C code: Python handles no signal

def draw(self, path, *rest):
    small_runs.Dots.draw(self, path, *rest)
    if path.name == where:
        stuck()

def load(self, progress):
    source, data = small_runs.Dots.load(self, progress)

    def sample(key, n):
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            stuck()  # while the first chunk is traced
        return source.sample(key, n)

    return type(source)(sample), data

if where == "compiling":
    small_runs.Nearest.load = load
else:
    small_runs.Nearest.draw = draw
small_runs.command_line()
"""


def started(base, *words):
    command = [sys.executable, "-W", "error", "-c", STUCK, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=small_runs.environment(base), **pipes)


@pytest.mark.parametrize(
    ("where", "signals", "code"),
    [
        ("compiling", [signal.SIGINT], 130),
        ("step_0000008.png", [signal.SIGINT, signal.SIGINT], 130),
        ("step_0000008.png", [signal.SIGTERM, signal.SIGTERM], 143),
    ],
)
def test_a_process_busy_in_c_code_can_be_stopped(base, whole, where, signals, code):
    process = started(base, where, *TRAIN.split(), "run")
    assert process.stdout.readline() == "stuck\n", process.stderr.read()
    for number in signals:
        assert process.poll() is None
        process.send_signal(number)
        time.sleep(0.2)  # two at once would be one
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in said
    assert ended("resume run --quiet") == 0
    assert kills.content(RUN) == kills.content(whole)
    if where != "compiling":
        assert RunFolder(RUN).read_manifest()["sessions"][-1]["from_step"] == 6


LIMITED = """
import resource
import matplotlib.font_manager  # which writes what it finds
import small_runs
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
small_runs.command_line()
"""


def test_a_file_size_limit_loses_nothing(base, whole):
    result = small_runs.python(base, "-c", LIMITED, *TRAIN.split(), "run")
    assert result.returncode == 2, result.stderr
    assert small_runs.one_line(result.stderr)
    assert "File too large: run/checkpoints/" in result.stderr
    assert "`ganjax resume run`" in result.stderr
    assert ended("resume run --quiet") == 0
    assert kills.content(RUN) == kills.content(whole)


def test_models_that_were_swapped_or_deleted_are_written_again(dots, tmp_path, capsys):
    run = RunFolder(shutil.copytree(dots.path, tmp_path / "run"))
    generator, discriminator = run.model_path("generator"), run.model_path("discriminator")
    digests = run.model_digests()
    shutil.copy(discriminator, generator)
    discriminator.unlink()
    assert ended("resume run --quiet") == 0
    # With other names of layers: Keras numbers them in a process, and this one has made dots before.
    assert run.model_digests().keys() == digests.keys()
    assert run.read_manifest()["models"] == run.model_digests()
    assert len(SavedGenerator(run).draw_latents(0, 3)) == 3
    assert ended("resume run") == 0
    assert "is finished" in capsys.readouterr().err


def test_temporary_files_of_a_run_killed_at_its_end_are_removed(dots, tmp_path):
    run = RunFolder(shutil.copytree(dots.path, tmp_path / "run"))
    before = sorted(run.path.rglob("*"))
    lock, half = run.path / Lock.NAME, run.samples / f"{UNFINISHED}final.png"
    lock.write_text("process 1 on a machine that is gone")
    half.write_bytes(b"half a picture")
    assert ended("resume run") == 0
    assert lock.read_text() == ""
    assert sorted(run.path.rglob("*")) == before
