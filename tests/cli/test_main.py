"""The command as a whole: help, exit codes, messages for mistakes."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
import small_runs
from small_runs import ended

import ganjax
from ganjax.cli import main as cli
from ganjax.cli import running, train
from ganjax.experiments import EXPERIMENTS
from ganjax.experiments.ranges import range_of
from ganjax.system.errors import UserError

COMMANDS = [[], *([command] for command in cli.COMMANDS), *(["train", name] for name in EXPERIMENTS)]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_help_fits_two_screens_and_has_an_example(capsys, words):
    assert ended(*words, "--help") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert 5 < len(out.splitlines()) <= 110
    assert re.search(rf"^[│ $]*ganjax {' '.join(words)}".rstrip(), out, re.MULTILINE)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiments_help_shows_every_flag_with_its_default_and_range(capsys, name):
    ended("train", name, "--help")
    out = capsys.readouterr().out
    text = " ".join(out.replace("│", " ").split())
    parts = (EXPERIMENTS[name], train.Options, running.Process)
    fields = [field for part in parts for field in dataclasses.fields(part)]
    for field in fields:
        assert f"--{field.name.replace('_', '-')} " in out
    assert text.count("(default: ") == len(fields)
    for field, kind in get_type_hints(EXPERIMENTS[name], include_extras=True).items():
        if range_of(kind):
            default = getattr(EXPERIMENTS[name], field)
            assert f"(default: {default}; in {range_of(kind)})" in text, field


def test_help_without_a_command_lists_all_and_train_help_all_experiments(capsys):
    assert ended("-h") == 0
    listing = capsys.readouterr().out
    assert all(f"  {command} " in listing for command in cli.COMMANDS)
    assert ended("train", "-h") == 0
    listing = capsys.readouterr().out
    assert all(f"  {name} " in listing for name in EXPERIMENTS)
    assert ended("") == 2
    assert ended("train") == 2


def test_version(capsys):
    assert ended("--version") == 0
    assert capsys.readouterr().out == f"ganjax {ganjax.__version__}\n"


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("sampel runs/x", ["no command 'sampel'", "did you mean sample?"]),
        ("xyz", [f"choose from {', '.join(cli.COMMANDS)}"]),
        ("train rign", ["no experiment 'rign'", "did you mean ring?"]),
        ("train ring --stepz 3", ["--stepz", "--steps"]),
        ("train ring --steps many", ["--steps", "many"]),
        ("train ring --steps 0", ["--steps must be a whole number in [1, 2147483647], got 0"]),
        ("train ring --seed 4294967296", ["--seed must be a whole number in [0, 4294967295]"]),
        ("train ring --seed -1", ["--seed must be a whole number in [0, 4294967295], got -1"]),
        ("train ring --width 0", ["--width must be a whole number in [1, 4096], got 0"]),
        ("train ring --ema-decay 1", ["--ema-decay must be a number in [0, 1), got 1.0"]),
        ("train ring --learning-rate nan", ["--learning-rate must be a number in (0, 1000], got nan"]),
        ("train ring --penalty inf", ["--penalty must be a number in (0, 1000000], got inf"]),
        ("train ring --learning-rate 1e999", ["--learning-rate", "got inf"]),
        ("train ring --steps 1e3", ["--steps", "1e3"]),
        ("train cartoon --size 48", ["--size", "48", "64"]),
        ("train cartoon --images 8", ["--batch 16 is more than --images 8"]),
        ("sample", ["PATH"]),
        ("sample nowhere", ["no run in nowhere"]),
        ("sample nowhere --n 0", ["--n must be a whole number in [1, 1000000], got 0"]),
        ("sample nowhere --seed -1", ["--seed must be a whole number in [0, 4294967295], got -1"]),
        ("sample nowhere --out a.jpg", [".png or .npz"]),
        ("explore nowhere", ["no run in nowhere"]),
        ("explore nowhere --columns 1", ["--columns must be a whole number in [2, 100], got 1"]),
        ("explore nowhere --rows 0", ["--rows must be a whole number in [1, 100], got 0"]),
        ("info --cashe-dir x", ["--cache-dir"]),
    ],
)
def test_a_mistake_is_said_in_one_line_on_stderr(capsys, monkeypatch, tmp_path, line, parts):
    monkeypatch.chdir(tmp_path)
    assert ended(*line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ganjax: ")
    assert small_runs.one_line(err)
    for part in parts:
        assert part in err
    assert list(tmp_path.iterdir()) == []  # nothing was begun


@pytest.mark.parametrize("out", ["thesis", "thesis/run"])
def test_a_file_in_the_way_of_a_run_is_kept(capsys, monkeypatch, tmp_path, out):
    monkeypatch.chdir(tmp_path)
    Path("thesis").write_text("ten years of work")
    for flags in ([], ["--overwrite"], ["--resume"]):
        assert ended("train", "original-toy", "--out", out, *flags) == 2
        said, err = capsys.readouterr()
        assert said == ""
        assert small_runs.one_line(err)
        assert err.startswith(f"ganjax: cannot write to {out}: ")
        assert err.endswith("; choose another --out\n")
    assert Path("thesis").read_text() == "ten years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_debug_shows_the_traceback_wherever_it_stands():
    for words in (["--debug", "sample", "nowhere"], ["sample", "nowhere", "--debug"]):
        with pytest.raises(UserError):
            cli.main(words)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("a b\n  c"), 2, "ganjax: a b c\n"),
        (
            FileNotFoundError(2, "No such file or directory", "x.png"),
            2,
            "ganjax: No such file or directory: x.png\n",
        ),
        (OSError("the disk is gone"), 2, "ganjax: the disk is gone\n"),
        (KeyboardInterrupt(), 130, "ganjax: stopped\n"),
    ],
)
def test_how_a_command_ends_is_its_exit_code(capsys, monkeypatch, error, code, said):
    def fail(_):
        raise error

    monkeypatch.setattr(cli, "run", fail)
    assert ended("info") == code
    assert capsys.readouterr() == ("", said)


def test_a_bug_keeps_its_traceback(monkeypatch):
    def fail(_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(cli, "run", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["info"])


HEAVY = {"jax", "keras", "optax", "numpy", "matplotlib", "PIL", "tqdm", "tensorflow"}


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["train", "cartoon", "--help"], ["train", "rign"]]
)
def test_help_and_mistakes_import_nothing_heavy(base, words):
    program = (
        "import sys; from ganjax.cli.main import main\n"
        "try: main()\n"
        f"except SystemExit: print(*({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    result = small_runs.python(base, "-c", program, *words)
    assert result.stderr.splitlines()[-1] == ""


def test_python_m_and_the_script_are_one_command(base):
    result = small_runs.python(base, "-m", "ganjax", "sample", "nowhere")
    assert (result.returncode, result.stdout) == (2, "")
    assert small_runs.one_line(result.stderr)
    with_traceback = small_runs.python(base, "-m", "ganjax", "--debug", "sample", "nowhere")
    assert with_traceback.returncode != 0
    assert "Traceback" in with_traceback.stderr
    assert (
        subprocess.run(
            [sys.executable, "-c", "import ganjax.__main__"], env=small_runs.environment(base)
        ).returncode
        == 0
    )
