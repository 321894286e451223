"""fit: what a run writes, that it can be repeated bit by bit, and how it is stopped."""

import dataclasses
import json
import signal
import threading
from typing import ClassVar

import jax
import keras
import numpy as np
import pandas
import pytest
import small_runs
from PIL import Image

from ganjax import arrays_to_state, discriminate, generate, init_state, state_digest
from ganjax.runs import checkpoints
from ganjax.runs.interval import Interval
from ganjax.system.environment import environment
from ganjax.system.errors import UserError
from ganjax.training import CheckpointPolicy, RunFolder, chunked_run, fit
from ganjax.training.loop import initial_state
from ganjax.training.recorder import DivergedError


def run(path, experiment, **options):
    folder = RunFolder.create(path)
    return folder, fit(experiment, folder, **{"quiet": True} | options)


def files(folder):
    found = {str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file()}
    return found - {".lock"}


def checkpoint(folder, experiment, step):
    found = checkpoints.read(folder.checkpoint_path(step))
    assert found.record["step"] == step
    return arrays_to_state(experiment.gan, found.arrays)


def rows(folder):
    return pandas.read_csv(folder.metrics_path)


def pictures(folder):
    return {path.name: path.read_bytes() for path in folder.samples.iterdir()}


def test_what_a_run_leaves(dots, tiles):
    both = {
        *("manifest.json", "metrics.csv", "film.gif", "curves.png", "generator.keras", "discriminator.keras"),
        *("samples/final.png", "samples/step_0000000.png", "report.html"),
    }
    steps = {f"samples/step_{step:07d}.png" for step in (4, 8, 12)}
    assert files(dots) == both | steps | {"checkpoints/step_0000012.npz"}
    assert files(tiles) == both | {"samples/step_0000002.png", "checkpoints/step_0000003.npz"}


def test_metrics_have_a_row_every_log_every_and_one_at_the_end(dots, tiles):
    assert rows(dots).step.tolist() == [5, 10, 12]
    assert rows(tiles).step.tolist() == [3]


@pytest.mark.parametrize(
    ("folder", "experiment"), [("dots", small_runs.Dots()), ("tiles", small_runs.Tiles())]
)
def test_metrics_and_final_state_are_those_of_single_steps(request, folder, experiment):
    folder = request.getfixturevalue(folder)
    state, metrics = small_runs.replayed(experiment, experiment.steps)
    table = rows(folder)
    assert set(table.columns) == {"step", *metrics[0]}
    assert table.notna().all(axis=None)
    for _, row in table.iterrows():
        expected = metrics[int(row.step) - 1]
        for name, value in expected.items():
            assert row[name] == pytest.approx(float(value), rel=2e-4, abs=2e-5), name
    found = checkpoint(folder, experiment, experiment.steps)
    for a, b in zip(jax.tree.leaves(found.ema), jax.tree.leaves(state.ema), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_pictures_are_of_one_latent_batch_from_the_first_state_on(dots, tmp_path):
    experiment = small_runs.Dots()
    init_key, _, picture_key, _ = jax.random.split(jax.random.key(experiment.seed), 4)
    states = {
        "step_0000000.png": jax.jit(init_state, static_argnums=0)(experiment.gan, init_key),
        "step_0000012.png": checkpoint(dots, experiment, 12),
    }
    for name, state in states.items():
        experiment.draw(tmp_path / name, state, None, picture_key)
        assert (tmp_path / name).read_bytes() == (dots.samples / name).read_bytes()
    assert (dots.samples / "final.png").read_bytes() == (dots.samples / "step_0000012.png").read_bytes()
    assert len(set(pictures(dots).values())) == 4  # steps 0, 4, 8, and 12 which is final, too


def test_the_film_shows_the_pictures_in_order(dots):
    with Image.open(dots.path / "film.gif") as film:
        shown = []
        for i in range(film.n_frames):
            film.seek(i)
            shown.append(np.asarray(film.convert("RGB"), float))
    drawn = []
    for step in (0, 4, 8, 12):
        with Image.open(dots.picture_path(step)) as picture:
            drawn.append(np.asarray(picture.convert("RGB"), float))
    assert len(shown) == len(drawn)  # the final picture equals the one before, and is shown for longer
    for a, b in zip(shown, drawn, strict=True):
        np.testing.assert_allclose(a, b, atol=4)


def test_the_models_carry_the_final_state(tiles):
    experiment = small_runs.Tiles()
    state = checkpoint(tiles, experiment, 3)
    latents = experiment.gan.latent(jax.random.key(5), (4, 100))
    generator = keras.models.load_model(tiles.model_path("generator"))
    images = generate(experiment.gan, state, jax.random.key(5), 4)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        np.testing.assert_allclose(generator(latents), images, atol=1e-5)
        discriminator = keras.models.load_model(tiles.model_path("discriminator"))
        np.testing.assert_allclose(
            discriminator(images), discriminate(experiment.gan, state, images), rtol=1e-4, atol=1e-5
        )


def test_the_manifest_says_what_ran_and_how_it_ended(tiles):
    manifest = tiles.read_manifest()
    experiment = small_runs.Tiles()
    assert small_runs.Tiles(**manifest["settings"]) == experiment
    expected = {
        "schema": 2,
        "experiment": "tiles",
        "status": "finished",
        "steps": 3,
        "steps_done": 3,
        "selected_step": 3,
        "latent": {"class": "ganjax.latents.Normal", "mean": 0.1, "scale": 1.5},
        "key": [0, 0],
        "data": {"name": "noise", "count": 10},
        "scores": {},
    }
    assert {name: manifest[name] for name in expected} == expected
    assert manifest["state_sha256"] == state_digest(checkpoint(tiles, experiment, 3))
    assert manifest["environment"] == environment()
    assert list(manifest["digests"]) == ["0", "1", "2"]
    (session,) = manifest["sessions"]
    assert set(session["seconds"]) == {"data", "compile", "steps", "pictures", "checkpoints", "finish"}


def test_digests_are_of_the_states_at_named_steps(dots):
    experiment = small_runs.Dots()
    init_key = jax.random.split(jax.random.key(0), 4)[0]
    digests = dots.read_manifest()["digests"]
    assert list(digests) == ["0", "1", "2", "5", "10"]
    assert digests["0"] == state_digest(initial_state(experiment, init_key))
    final = checkpoints.read(dots.checkpoint_path(12))
    assert final.record["written"]["digests"] == digests
    assert list(final.witnesses) == [0, 1, 2, 5, 10]


def test_scores_are_the_experiments_own(dots):
    experiment = small_runs.Dots()
    score_key = jax.random.split(jax.random.key(0), 4)[3]
    state = checkpoint(dots, experiment, 12)
    assert dots.read_manifest()["scores"] == experiment.score(state, None, score_key)


def test_the_same_seed_gives_the_same_bytes(dots, tiles, tmp_path):
    for first, experiment in ((dots, small_runs.Dots()), (tiles, small_runs.Tiles())):
        again, outcome = run(tmp_path / experiment.name, experiment)
        assert again.metrics_path.read_bytes() == first.metrics_path.read_bytes()
        assert pictures(again) == pictures(first)
        assert (again.path / "film.gif").read_bytes() == (first.path / "film.gif").read_bytes()
        assert again.read_manifest()["state_sha256"] == first.read_manifest()["state_sha256"]
        assert state_digest(outcome.state) == first.read_manifest()["state_sha256"]


def test_another_seed_gives_another_run(dots, tmp_path):
    other, _ = run(tmp_path / "other", small_runs.Dots(seed=1))
    assert other.read_manifest()["state_sha256"] != dots.read_manifest()["state_sha256"]
    assert other.metrics_path.read_bytes() != dots.metrics_path.read_bytes()
    assert not set(pictures(other).values()) & set(pictures(dots).values())


def test_intervals_and_the_length_of_chunks_change_only_what_is_shown(dots, tmp_path, monkeypatch):
    monkeypatch.setattr(chunked_run, "CHUNK_SECONDS", 0.0)  # one step a chunk
    every, outcome = run(tmp_path / "every", small_runs.Dots(log_every=1, picture_every=0))
    assert state_digest(outcome.state) == dots.read_manifest()["state_sha256"]
    assert rows(every).step.tolist() == list(range(1, 13))
    shared = rows(every)[lambda table: table.step.isin([5, 10, 12])].reset_index(drop=True)
    pandas.testing.assert_frame_equal(shared, rows(dots), check_exact=True)
    assert set(pictures(every)) == {"final.png"}
    assert not (every.path / "film.gif").exists()


class Selecting(small_runs.Dots):
    """Keeps the state whose step is nearest 6."""

    select_every: ClassVar[int] = 2

    def distance(self, state, source, key):
        return abs(int(state.step) - 6.5)


def test_the_state_least_distant_is_kept(tmp_path):
    experiment = Selecting()
    folder, outcome = run(tmp_path / "run", experiment)
    manifest = folder.read_manifest()
    assert int(outcome.state.step) == manifest["selected_step"] == 6
    assert manifest["steps_done"] == outcome.step == 12
    assert manifest["state_sha256"] == state_digest(checkpoint(folder, experiment, 12))
    score_key = jax.random.split(jax.random.key(0), 4)[3]
    assert outcome.scores == experiment.score(outcome.state, None, score_key)
    generator = keras.models.load_model(folder.model_path("generator"))
    for mine, its in zip(generator.trainable_variables, outcome.state.ema.params, strict=True):
        np.testing.assert_array_equal(mine, its)


# How a run ends early.


def test_a_run_that_diverges_stops_with_the_last_good_state_saved(tmp_path, capsys):
    experiment = small_runs.Dots(learning_rate=1e30, log_every=1)
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(DivergedError) as caught:
        fit(experiment, folder, quiet=True)
    error = caught.value
    table = rows(folder)
    assert table.step.tolist() == list(range(1, error.step + 1))
    assert table.finite.tolist() == [1.0] * (error.step - 1) + [0.0]
    assert not np.isfinite(table.iloc[-1]).all()

    good_step = int(error.good.step)
    good = checkpoint(folder, experiment, good_step)
    assert int(good.step) == good_step < error.step
    assert state_digest(good) == state_digest(error.good)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(good.generator))
    _, metrics = small_runs.replayed(experiment, good_step + 1)
    assert metrics[-1]["finite"] == 1

    key = jax.random.key_data(good.key).tolist()
    for part in (
        f"step {error.step} ",
        str(key),
        str(folder.checkpoint_path(good_step)),
        "learning rate",
    ):
        assert part in str(error)
    assert "\n" not in str(error)
    assert isinstance(error, UserError)
    manifest = folder.read_manifest()
    assert (manifest["status"], manifest["reason"]) == ("diverged", str(error))
    assert manifest["steps_done"] == good_step
    assert capsys.readouterr() == ("", "")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interrupted(small_runs.Dots):
    """Is sent a signal while the picture of step 4 is drawn."""

    times: ClassVar[int] = 1
    number: ClassVar[int] = signal.SIGINT

    def draw(self, path, state, source, key):
        super().draw(path, state, source, key)
        if path.name == "step_0000004.png":
            for _ in range(self.times):
                signal.raise_signal(self.number)


class InterruptedTwice(Interrupted):
    times: ClassVar[int] = 2


class Terminated(Interrupted):
    number: ClassVar[int] = signal.SIGTERM


def test_ctrl_c_stops_between_chunks_and_saves_what_is_there(dots, tmp_path, capsys):
    before = signal.getsignal(signal.SIGINT)
    experiment = Interrupted(log_every=1)
    folder, outcome = run(tmp_path / "run", experiment, quiet=False)
    assert (outcome.stopped_by, outcome.step) == (signal.SIGINT, 4)
    assert folder.read_manifest()["status"] == "interrupted"
    assert folder.read_manifest()["steps_done"] == 4
    assert rows(folder).step.tolist() == [1, 2, 3, 4]
    assert files(folder) >= {"film.gif", "curves.png", "generator.keras", "samples/final.png", "report.html"}
    assert pictures(folder)["step_0000004.png"] == pictures(dots)["step_0000004.png"]
    assert state_digest(checkpoint(folder, experiment, 4)) == state_digest(outcome.state)
    assert "Ctrl-C again stops at once" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_whoever_terminates_is_in_a_hurry(tmp_path):
    experiment = Terminated()
    folder, outcome = run(tmp_path / "run", experiment)
    assert (outcome.stopped_by, outcome.step) == (signal.SIGTERM, 4)
    assert folder.read_manifest()["status"] == "interrupted"
    assert state_digest(checkpoint(folder, experiment, 4)) == state_digest(outcome.state)
    assert not {"samples/final.png", "generator.keras", "report.html"} & files(folder)


@pytest.mark.parametrize("kind", [Interrupted, Terminated])
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(dots, tmp_path, kind):
    folder, _ = run(tmp_path / "run", kind())
    fit(small_runs.Dots(), folder, resume=True, quiet=True)
    assert files(folder) == files(dots)
    for name in files(dots) - {"manifest.json", "generator.keras", "discriminator.keras"}:
        assert (folder.path / name).read_bytes() == (dots.path / name).read_bytes(), name


def test_a_second_ctrl_c_leaves_at_once(tmp_path, capsys):
    before = signal.getsignal(signal.SIGINT)
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        fit(InterruptedTwice(), folder, quiet=True)
    assert "samples/final.png" not in files(folder)
    assert signal.getsignal(signal.SIGINT) is before
    assert capsys.readouterr() == ("", "")


def test_interrupted_before_the_first_row_a_run_still_ends_well(tmp_path):
    folder, outcome = run(tmp_path / "run", Interrupted(log_every=100))
    assert outcome.step == 4
    assert not (folder.path / "curves.png").exists()
    assert folder.read_manifest()["status"] == "interrupted"


def test_a_run_in_a_thread_leaves_signals_alone(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    ended = []
    thread = threading.Thread(target=lambda: ended.append(run(tmp_path / "run", small_runs.Dots(steps=1))[1]))
    thread.start()
    thread.join()
    assert ended[0].step == 1
    assert signal.getsignal(signal.SIGINT) is before


class WithoutData(small_runs.Dots):
    def load(self, progress):
        raise UserError("there are no pictures in nowhere")


def test_a_run_without_data_leaves_nothing_in_the_way_of_the_next(tmp_path):
    with pytest.raises(UserError, match="no pictures"):
        run(tmp_path / "run", WithoutData())
    folder, _ = run(tmp_path / "run", small_runs.Dots(steps=1))
    assert folder.read_manifest()["status"] == "finished"


class Crashing(small_runs.Dots):
    last: ClassVar[str] = "step_0000004.png"

    def draw(self, path, state, source, key):
        if path.name == self.last:
            raise RuntimeError("a bug")
        super().draw(path, state, source, key)


class Late(Crashing):
    last: ClassVar[str] = "step_0000012.png"


def test_a_crash_leaves_whole_files_only(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(RuntimeError, match="a bug"):
        fit(Crashing(log_every=1), folder, quiet=True)
    assert files(folder) == {"manifest.json", "metrics.csv", "samples/step_0000000.png"}

    assert json.loads(folder.manifest_path.read_text())["status"] == "running"
    assert rows(folder).step.tolist() == [1, 2, 3, 4]


def test_the_last_checkpoints_stay_while_a_run_goes_on(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(RuntimeError, match="a bug"):
        fit(Late(), folder, quiet=True, checkpoint_policy=CheckpointPolicy(Interval(steps=3), last=2))
    assert folder.checkpoints() == [folder.checkpoint_path(6), folder.checkpoint_path(9)]


def test_quiet_says_nothing_and_otherwise_plain_lines_say_how_far_it_is(tmp_path, capfd):
    run(tmp_path / "quiet", small_runs.Dots(), quiet=True)
    assert capfd.readouterr() == ("", "")
    run(tmp_path / "plain", small_runs.Dots(), quiet=False)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("step 12/12 ")
    assert "\r" not in err


class Unwritable(keras.layers.Layer):
    """Made from what no configuration holds."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


class DotsUnwritable(small_runs.Dots):
    @property
    def gan(self):
        gan = super().gan
        layers = [keras.Input(gan.latent_shape), gan.generator, Unwritable(lambda x: x)]
        return dataclasses.replace(gan, generator=keras.Sequential(layers))


def test_a_network_that_no_file_can_hold_is_refused_before_training(tmp_path):
    message = r"^a run writes its networks to files, but the layer .unwritable.* cannot be saved"
    with pytest.raises(UserError, match=message):
        fit(DotsUnwritable(), RunFolder.create(tmp_path / "run"), quiet=True)
    assert {path.name for path in (tmp_path / "run").iterdir()} <= {".lock"}
