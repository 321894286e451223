"""Resuming from the latest undamaged checkpoint gives the same bytes as a run that was never stopped."""

import dataclasses
import datetime
import functools
import json
import os
import shutil
import signal
import time
from typing import Any, ClassVar

import jax
import kills
import optax
import pytest
import small_runs

from ganjax import losses
from ganjax.datasets import batches, toy
from ganjax.gan import GAN
from ganjax.runs import checkpoints
from ganjax.runs.interval import Interval
from ganjax.runs.manifest import Manifest
from ganjax.system.errors import UserError
from ganjax.system.progress import Progress
from ganjax.training import CheckpointPolicy, RunFolder, fit

EVERY_3 = CheckpointPolicy(Interval(steps=3))
EXPERIMENT = small_runs.Nearest(steps=20)


class Killed(BaseException):
    """Nothing in the package handles it: as from a kill, all stays as it is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dying(small_runs.Nearest):
    """Dies while the picture of step 16 is drawn; the last checkpoints are of steps 12 and 15."""

    steps: int = 20

    def draw(self, path, state, source, key):
        if path.name == "step_0000016.png":
            raise Killed
        super().draw(path, state, source, key)


@pytest.fixture(scope="module")
def whole(base):
    """A run that nothing befell."""
    folder = RunFolder.create(base / "resuming-whole")
    fit(EXPERIMENT, folder, quiet=True)
    return kills.content(folder.path)


@pytest.fixture(scope="module")
def killed(base):
    """A run that was killed."""
    folder = RunFolder.create(base / "resuming-killed")
    with pytest.raises(Killed):
        fit(Dying(), folder, checkpoint_policy=EVERY_3, quiet=True)
    return folder


@pytest.fixture
def run(killed, tmp_path):
    """A copy of it."""
    return RunFolder(shutil.copytree(killed.path, tmp_path / "run"))


def resumed(folder, experiment=EXPERIMENT, **options):
    fit(experiment, folder, resume=True, checkpoint_policy=EVERY_3, **options)
    return kills.content(folder.path)


def refused(folder, experiment=EXPERIMENT):
    """What is said; the folder stays as it is."""
    before = kills.content(folder.path)
    with pytest.raises(UserError) as caught:
        resumed(folder, experiment, quiet=True)
    assert kills.content(folder.path) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def flip(path, at=0.5):
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 0x10
    path.write_bytes(content)


def test_a_killed_run_ends_as_one_that_was_not(run, whole, capsys):
    assert [path.name for path in run.checkpoints()] == ["step_0000012.npz", "step_0000015.npz"]
    assert resumed(run, quiet=True) == whole
    assert capsys.readouterr() == ("", "")
    sessions = run.read_manifest()["sessions"]
    assert [session["from_step"] for session in sessions] == [0, 15]


# Damage


DAMAGE = {
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "flipped": flip,
    "flipped in its seal": lambda path: flip(path, at=1 - 5 / path.stat().st_size),
    "empty": lambda path: path.write_bytes(b""),
    "another file": lambda path: path.write_text("a letter"),
    "of another step": lambda path: shutil.copy(path.parent / "step_0000012.npz", path),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(run, whole, capsys, how):
    DAMAGE[how](run.checkpoint_path(15))
    assert resumed(run) == whole
    said = capsys.readouterr().err
    assert "step_0000015.npz is" in said
    assert "using the checkpoint before it" in said
    assert run.read_manifest()["sessions"][-1]["from_step"] == 12


def test_where_all_are_damaged_it_begins_anew(run, whole, capsys):
    for path in run.checkpoints():
        flip(path)
    assert resumed(run) == whole
    assert "starting at the first step" in capsys.readouterr().err
    assert run.read_manifest()["sessions"][-1]["from_step"] == 0


def append(path, content):
    path.write_bytes(path.read_bytes() + content)


def cut(path, by):
    os.truncate(path, path.stat().st_size - by)


@pytest.mark.parametrize(
    ("harm", "begins"),
    [
        (lambda run: append(run.metrics_path, b"20,0.1"), 15),  # a row cut in the middle
        (lambda run: cut(run.metrics_path, 3), 12),  # step 15 is not whole any more, step 10 is
        (lambda run: flip(run.metrics_path, at=0.2), 0),
        (lambda run: run.metrics_path.unlink(), 0),
        (lambda run: run.picture_path(16).write_bytes(b"drawn, but not yet known of"), 15),
        (lambda run: run.picture_path(0).unlink(), 0),
        (lambda run: flip(run.picture_path(8)), 0),
        (lambda run: run.best_path(6).unlink(), 0),
        (lambda run: flip(run.best_path(6)), 0),
        (lambda run: shutil.copy(run.checkpoint_path(12), run.best_path(6)), 0),
        (lambda run: run.manifest_path.unlink(), 15),
        (lambda run: run.manifest_path.write_text("{"), 15),
        (lambda run: (run.path / ".writing-metrics-x.csv").write_text("half"), 15),
        (lambda run: (run.path / "checkpoints" / "step_old_9.npz").write_text("mine"), 15),
    ],
)
def test_whatever_is_harmed_it_ends_the_same(run, whole, harm, begins):
    harm(run)
    found = resumed(run, quiet=True)
    found.pop("checkpoints/step_old_9.npz", None)  # what is not of the run is left alone
    assert found == whole
    assert run.read_manifest()["sessions"][-1]["from_step"] == begins


def test_what_only_a_checkpoint_knows_is_in_the_manifest_again(tmp_path, whole, monkeypatch):
    def die(*_, **__):
        raise Killed

    folder = RunFolder.create(tmp_path / "run")
    monkeypatch.setattr(Manifest, "end", die)
    with pytest.raises(Killed):
        fit(EXPERIMENT, folder, quiet=True)
    monkeypatch.undo()
    folder.manifest_path.unlink()
    assert resumed(folder, quiet=True) == whole


def test_no_clock_matters(run, whole, monkeypatch):
    class Past(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(1970, 1, 1, tzinfo=tz)

    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(datetime, "datetime", Past)
    for path in run.path.rglob("*"):
        os.utime(path, (4e9, 4e9))  # in the future
    assert resumed(run, quiet=True) == whole
    assert run.read_manifest()["sessions"][-1]["started"].startswith("1970")


# Refusals


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wider(small_runs.Nearest):
    steps: int = 20

    @functools.cached_property
    def gan(self):
        adam = optax.adam(self.learning_rate)
        networks = [small_runs.dots_networks()[0], small_runs.tiles_networks()[1]]
        return GAN(networks[0], wide(), generator_optimizer=adam, discriminator_optimizer=adam)


def wide():
    import keras

    return keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(9), keras.layers.Dense(1)])


@dataclasses.dataclass(frozen=True, kw_only=True)
class NewData(small_runs.Nearest):
    steps: int = 20

    def load(self, progress):
        return batches.Sampled(toy.ring), {"name": "ring", "sha256": "other"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Changed(small_runs.Nearest):
    """A run of the same settings whose code was changed."""

    steps: int = 20
    change: ClassVar[dict[str, Any]] = {}

    @functools.cached_property
    def gan(self):
        return dataclasses.replace(super().gan, **self.change)


class Faster(Changed):
    change: ClassVar = {"generator_optimizer": optax.adam(1e-3), "discriminator_optimizer": optax.adam(1e-3)}


class OtherLoss(Changed):
    change: ClassVar = {"loss": losses.hinge}


class Uniform(Changed):
    change: ClassVar = {"latent": lambda key, shape: jax.random.uniform(key, shape)}


class Alternating(Changed):
    change: ClassVar = {"update": "alternating"}


class OtherData(Changed):
    """The description says the same of other samples."""

    def load(self, progress):
        return batches.Sampled(toy.grid), {"name": "ring"}


@pytest.mark.parametrize(
    ("experiment", "words"),
    [
        (small_runs.Nearest(steps=20, seed=1), ("another run", "its seed is 0, not 1")),
        (small_runs.Nearest(steps=30), ("another run", "its steps is 20, not 30")),
        (NewData(), ("another run", "its data are name 'ring'", "sha256 'other'")),
        (Wider(), ("another run: its discriminator is not that of this GAN",)),
        (Faster(), ("its generator_optimizer is not", "its discriminator_optimizer is not")),
        (OtherLoss(), ("another run: its loss is not that of this GAN",)),
        (Uniform(), ("its latent is {'class'", "not {'class'")),
        (Alternating(), ("its update is 'simultaneous', not 'alternating'",)),
        (OtherData(), ("another run: its data are not these",)),
    ],
)
@pytest.mark.parametrize("manifest", [True, False])
def test_what_is_another_run_is_refused(run, experiment, words, manifest):
    if not manifest:
        run.manifest_path.unlink()
    said = refused(run, experiment)
    for word in words:
        assert word in said


def test_a_checkpoint_of_another_network_is_refused(run):
    """Without fingerprints, as of an older ganjax, the shapes of the weights tell."""
    for path in run.checkpoints():
        checkpoint = checkpoints.read(path)
        del checkpoint.record["run"]["fingerprint"]
        checkpoints.write(path, checkpoint)
    run.manifest_path.unlink()
    assert "of another network" in refused(run, Wider())


def test_code_that_computes_the_same_is_accepted(run, whole):
    before = losses.binary_cross_entropy
    same = losses.Loss(lambda real, fake: before.discriminator(real, fake), before.generator)

    class Rewritten(Changed):
        change: ClassVar = {"loss": same}

    ended = resumed(run, Rewritten(), quiet=True)
    for name in ("metrics.csv", "checkpoints/step_0000020.npz"):  # Keras numbers the layers in the models
        assert ended[name] == whole[name]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 99}, "update ganjax"),
        ({"schema": 1}, "older ganjax"),
        ({"status": "diverged", "reason": "it was too fast"}, "it was too fast"),
    ],
)
def test_a_manifest_may_forbid_it(run, change, words):
    manifest = json.loads(run.manifest_path.read_text())
    run.manifest_path.write_text(json.dumps(manifest | change))
    assert words in refused(run)


def test_a_finished_run_without_its_checkpoint_stays_as_it_is(dots, tmp_path):
    run = RunFolder(shutil.copytree(dots.path, tmp_path / "run"))
    flip(run.checkpoint_path(12))
    assert "--overwrite" in refused(run, small_runs.Dots())


def test_a_run_that_has_gone_further_is_not_cut_short(run):
    with pytest.raises(UserError, match="has done 15 steps already"):
        fit(EXPERIMENT, run, resume=True, steps=14, quiet=True)


def test_behind_where_it_diverged_nothing_goes_on(tmp_path, monkeypatch):
    """Killed after the last good state was saved, before the manifest says so: it diverges again."""
    experiment = small_runs.Dots(learning_rate=1e30, log_every=1)
    said, ends = [], Manifest.end

    def die(*_, **__):
        raise Killed

    folder = RunFolder.create(tmp_path / "run")
    monkeypatch.setattr(Manifest, "end", die)
    with pytest.raises(Killed):
        fit(experiment, folder, quiet=True)
    assert folder.checkpoints()
    before = folder.metrics_path.read_bytes()
    monkeypatch.setattr(Manifest, "end", ends)
    with pytest.raises(UserError, match="not finite") as caught:
        fit(experiment, folder, resume=True, quiet=True)
    said.append(str(caught.value))
    assert folder.metrics_path.read_bytes() == before
    assert said[0] in refused(folder, experiment)


# Longer runs


@pytest.fixture(scope="module")
def short(base):
    """A finished run of 7 steps: its last row is not a multiple of `log_every`."""
    folder = RunFolder.create(base / "resuming-short")
    fit(EXPERIMENT, folder, steps=7, quiet=True)
    return folder


def test_a_longer_run_is_as_if_it_had_been_meant_so(short, whole, tmp_path):
    assert b"\n7," in short.metrics_path.read_bytes()
    run = RunFolder(shutil.copytree(short.path, tmp_path / "run"))
    assert resumed(run, steps=20, quiet=True) == whole


def test_killed_before_its_next_checkpoint_a_longer_run_keeps_the_last(short, whole, tmp_path, capsys):
    run = RunFolder(shutil.copytree(short.path, tmp_path / "run"))
    with pytest.raises(Killed):
        fit(Dying(), run, resume=True, steps=20, quiet=True)
    assert b"\n7," not in run.metrics_path.read_bytes()
    assert resumed(run, steps=20) == whole
    assert "one before" not in capsys.readouterr().err
    assert run.read_manifest()["sessions"][-1]["from_step"] == 7


def test_a_row_that_only_the_end_had_is_written_anew(short, tmp_path):
    run = RunFolder(shutil.copytree(short.path, tmp_path / "run"))
    cut(run.metrics_path, 5)
    assert resumed(run, steps=7, quiet=True) == kills.content(short.path)


# Signals


def test_a_signal_that_comes_late_waits_for_the_next_chunk(tmp_path, whole, monkeypatch):
    """Between the checkpoint of a chunk and its end nothing is half heard: all that was done is saved."""
    shown = Progress.advance

    def press(self, count, metrics):
        shown(self, count, metrics)
        if self.step == 7:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Progress, "advance", press)
    folder = RunFolder.create(tmp_path / "run")
    outcome = fit(EXPERIMENT, folder, checkpoint_policy=CheckpointPolicy(Interval(steps=7)), quiet=True)
    monkeypatch.undo()
    assert outcome.stopped_by == signal.SIGTERM
    assert outcome.step > 7
    assert folder.checkpoint_path(outcome.step).exists()
    assert resumed(folder, quiet=True) == whole
    assert folder.read_manifest()["sessions"][-1]["from_step"] == outcome.step
