"""A manifest holds, as JSON, what is needed to repeat a run, and the command that does it."""

import dataclasses
import json
import os
import shlex
from pathlib import Path

import jax
import numpy as np
import pytest
import small_runs

from ganjax.cli.parsing import parse
from ganjax.experiments import EXPERIMENTS, OriginalToy, Ring
from ganjax.runs.manifest import Manifest, command_of, describe, earlier_manifest, mismatch
from ganjax.system.environment import environment
from ganjax.system.errors import DamagedError, UserError
from ganjax.system.progress import Clock
from ganjax.training import RunFolder


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithPaths(small_runs.Dots):
    data: Path | None = Path("faces")
    widths: tuple[int, ...] = (2, 3)
    cache: Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fancy(small_runs.Dots):
    data: str | None = None
    flip: bool = False
    mirror: bool = True
    widths: tuple[int, ...] = (2, 3)


def test_every_setting_is_in_it_as_json(key):
    found = describe(WithPaths(seed=5), key, {"name": "faces", "count": 3})
    assert json.loads(json.dumps(found)) == found
    assert found["experiment"] == "dots"
    assert found["settings"] == {
        "seed": 5,
        "steps": 12,
        "batch": 16,
        "log_every": 5,
        "picture_every": 4,
        "learning_rate": 0.01,
        "data": "faces",
        "widths": [2, 3],
        "cache": None,
    }
    assert found["latent"] == {"class": "ganjax.latents.Normal", "mean": 0.0, "scale": 1.0}
    assert found["data"] == {"name": "faces", "count": 3}


def test_the_key_comes_back_from_it():
    key = jax.random.key(2**32 - 1)
    found = describe(small_runs.Dots(), key, {})["key"]
    again = jax.random.wrap_key_data(jax.numpy.asarray(found, jax.numpy.uint32))
    assert again == key


def test_equal_runs_have_equal_descriptions_wherever_their_data_lie(key):
    mine = describe(WithPaths(), key, {"sha256": "a"})
    assert mismatch(mine, describe(WithPaths(data=Path("elsewhere")), key, {"sha256": "a"})) is None


def test_where_data_were_downloaded_is_told_and_not_compared(key):
    """A run can go on with the same pictures from a folder, or without a connection."""
    mine = describe(WithPaths(), key, {"sha256": "a", "origin": {"url": "https://host/x.zip"}})
    assert mine["data"]["origin"] == {"url": "https://host/x.zip"}
    for data in ({"sha256": "a"}, {"sha256": "a", "origin": {"url": "https://elsewhere/x.zip"}}):
        other = describe(WithPaths(), key, data)
        assert mismatch(mine, other) is mismatch(other, mine) is None
    mine["settings"]["offline"] = True
    assert mismatch(mine, other) is mismatch(other, mine) is None
    mine["data"] |= {"skipped": 1, "skipped_files": ["notes.pdf: .pdf files are not read"]}
    assert mismatch(mine, other) is mismatch(other, mine) is None
    assert "its data are" in mismatch(mine, describe(WithPaths(), key, {"sha256": "b"}))


@pytest.mark.parametrize(
    ("other", "data", "said"),
    [
        (WithPaths(seed=1), {}, "its seed is 1, not 0"),
        (WithPaths(batch=8), {}, "its batch is 8, not 16"),
        (small_runs.Dots(), {}, "its widths is None, not [2, 3]"),
        (WithPaths(), {"sha256": "b"}, "its data are sha256 'b', not "),
        (small_runs.Tiles(), {}, "its experiment is 'tiles', not 'dots'"),
    ],
)
def test_what_differs_is_said(key, other, data, said):
    assert said in mismatch(describe(WithPaths(), key, {}), describe(other, key, data))


def test_times_and_processes_stand_in_sessions_alone(tmp_path, key):
    description = describe(small_runs.Dots(), key, {})
    folder = RunFolder.create(tmp_path / "run")
    manifest = Manifest.begin(folder, description, 0, 12, print)
    manifest.note(5, {"5": "a digest"})
    assert folder.read_manifest()["steps_done"] == 5
    manifest.end("interrupted", Clock(), steps_done=6)
    again = Manifest.begin(folder, description, 6, 12, print)
    again.end("finished", Clock(), steps_done=12)
    found = folder.read_manifest()
    sessions = found.pop("sessions")
    assert [session["from_step"] for session in sessions] == [0, 6]
    assert all(session["process"] == os.getpid() and session["ended"] for session in sessions)
    assert found == {
        "schema": 2,
        **description,
        "steps": 12,
        "status": "finished",
        "steps_done": 12,
        "environment": environment(),
        "digests": {"5": "a digest"},
    }


def test_a_run_that_goes_on_elsewhere_says_so(tmp_path, key, monkeypatch, capsys):
    folder = RunFolder.create(tmp_path / "run")
    Manifest.begin(folder, describe(small_runs.Dots(), key, {}), 0, 12, print)
    elsewhere = environment() | {"threads": 99}
    monkeypatch.setattr("ganjax.runs.manifest.environment", lambda: elsewhere)
    Manifest.begin(folder, describe(small_runs.Dots(), key, {}), 6, 12, print)
    assert "threads" in capsys.readouterr().out
    found = folder.read_manifest()
    assert found["environment"]["threads"] != 99
    assert found["sessions"][1]["environment"] == elsewhere


def test_a_damaged_manifest_is_as_good_as_none_and_a_newer_one_is_not(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    assert earlier_manifest(folder) == {}
    folder.manifest_path.write_text("{")
    with pytest.raises(DamagedError):
        folder.read_manifest()
    assert earlier_manifest(folder) == {}
    folder.manifest_path.write_text('{"schema": 99}')
    with pytest.raises(UserError, match="update ganjax"):
        earlier_manifest(folder)


def test_the_command_has_no_flag_for_a_default():
    assert command_of(Ring()) == "ganjax train ring"


def test_settings_may_be_arrays_and_functions(key):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Odd(small_runs.Dots):
        weights: np.ndarray
        scale: object = abs

    same, other = Odd(weights=np.zeros(2)), Odd(weights=np.ones(2), scale=lambda x: 2 * x)
    assert command_of(same) == "ganjax train dots --weights '[0. 0.]'"
    # The address of a function is another in each process.
    assert " at 0x" not in json.dumps(describe(other, key, {}))
    assert "its scale is" in mismatch(describe(same, key, {}), describe(other, key, {}))


def test_the_command_of_a_population_has_its_seeds():
    assert command_of(Ring(seed=4, steps=5), range(3, 8)) == "ganjax train ring --seeds 3:8 --steps 5"


@pytest.mark.parametrize(
    "experiment",
    [
        Ring(seed=3, learning_rate=1 / 3, log_every=7),
        OriginalToy(picture_every=0),
        Fancy(data="my 'own' pictures; rm -rf $HOME", flip=True, mirror=False, widths=(4, 5, 6)),
    ],
)
def test_the_command_parsed_again_is_the_same_experiment(experiment):
    program, command, name, *words = shlex.split(command_of(experiment))
    assert (program, command, name) == ("ganjax", "train", experiment.name)
    assert parse(EXPERIMENTS.get(name, type(experiment)), words, "ganjax train") == experiment
