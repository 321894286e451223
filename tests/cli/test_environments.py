"""Commands work without a home folder, without a user, and in 1970."""

import os
import time
import zipfile
from pathlib import Path

import pytest
import small_runs

from ganjax.cli import main as cli
from ganjax.experiments import EXPERIMENTS
from ganjax.training import RunFolder

# `ganjax` as in a container whose user id has no name.
UNKNOWN_USER = """
import pwd
def unknown(number):
    raise KeyError(number)
pwd.getpwuid = unknown
from ganjax.cli.main import main
main()
"""


def homeless(base, tmp_path, words, home=None, program="from ganjax.cli.main import main; main()"):
    """The command without the environment variables that name a user's folders."""
    hidden = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "KERAS_HOME", "MPLCONFIGDIR")
    environment = {name: value for name, value in small_runs.environment(base).items() if name not in hidden}
    (tmp_path / "temporary").mkdir(exist_ok=True)
    environment |= {"TMPDIR": str(tmp_path / "temporary")} | ({"HOME": str(home)} if home else {})
    return small_runs.python(base, "-c", program, *words, env=environment, cwd=tmp_path)


def found(folder):
    """Names in the folder, without the temporary folder, which must be empty."""
    assert not list((folder / "temporary").iterdir())
    return {path.name for path in folder.iterdir()} - {"temporary"}


def test_a_run_needs_no_home_and_no_user(base, tmp_path):
    words = "train original-toy --steps 2 --batch 50 --out run --quiet"
    result = homeless(base, tmp_path, words.split(), program=UNKNOWN_USER)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert RunFolder(tmp_path / "run").read_manifest()["status"] == "finished"
    assert found(tmp_path) == {"run"}  # no folder called ~


@pytest.mark.parametrize("home", ["nowhere", "file"])
def test_samples_need_no_home(base, dots, tmp_path, home):
    (tmp_path / "file").write_text("no folder can be made in here")
    result = homeless(
        base, tmp_path, ["sample", dots.path, "--n", "2", "--out", "a.png"], home=tmp_path / home
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "a.png\n", "")
    assert found(tmp_path) == {"file", "a.png"}


def test_a_writable_home_is_used(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with cli._with_a_home():
        assert Path.home() == tmp_path
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("before", [None, "/nonexistent", "read only"])
def test_a_temporary_home_is_removed_after_the_command(monkeypatch, tmp_path, before):
    if before is None:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    else:
        monkeypatch.setenv("HOME", str(tmp_path) if before == "read only" else before)
        monkeypatch.setattr(os, "access", lambda *_: False)  # as for anybody but root
    home = os.environ.get("HOME")

    def fail():
        with cli._with_a_home():
            lent.append(Path(os.environ["HOME"]))
            (lent[0] / "settings").write_text("of a library")
            raise ZeroDivisionError

    lent = []
    with pytest.raises(ZeroDivisionError):
        fail()
    assert os.environ.get("HOME") == home
    assert lent[0] != tmp_path
    assert not lent[0].exists()


def test_a_run_can_be_made_in_1970(monkeypatch, tmp_path):
    """A zip file holds no date before 1980, and models are zip files."""
    monkeypatch.setattr(time, "time", lambda: 10.0)
    monkeypatch.setitem(EXPERIMENTS, "dots", small_runs.Dots)
    monkeypatch.chdir(tmp_path)
    for words in (
        "train dots --steps 4 --out run --quiet",
        "train dots --steps 4 --out run --overwrite --quiet",
        "sample run --n 2 --out a.npz",
        "sample run --n 2 --out a.png",
    ):
        with pytest.raises(SystemExit) as end:
            cli.main(words.split())
        assert end.value.code == 0
    assert zipfile.is_zipfile("run/generator.keras")
    with pytest.raises(ValueError, match="1980"):
        zipfile.ZipFile("a.zip", "w").writestr("a", "")  # the time really is 1970
