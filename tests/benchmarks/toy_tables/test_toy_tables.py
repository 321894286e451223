"""The whole command, and its parts except the report, with one tiny recipe of three steps."""

import dataclasses
import json
import re

import jax
import numpy as np
import pytest
from run_fixtures import _kept_compilations, base  # noqa: F401

from benchmarks.toy_tables import command, measures, plan
from benchmarks.toy_tables.plan import OURS, PERFECT
from benchmarks.toy_tables.pool import Pool, Tasks, environment
from benchmarks.toy_tables.run_store import FILE, RunStore
from benchmarks.toy_tables.training import PerfectSampler, Trainer, write
from benchmarks.toy_tables.worker import Worker
from ganjax.experiments import EXPERIMENTS
from ganjax.system.errors import UserError
from ganjax.training import RunFolder, fit

TINY = (("width", "4"), ("batch", "8"))


def tiny():
    (_, group) = plan.plan(["lsgan"], ["ring"], "3", TINY)
    return dataclasses.asdict(group)


@pytest.fixture(scope="module")
def trainer():
    return Trainer(tiny(), 200)


def test_a_sweep_is_every_combination():
    vary = [("penalty", ".01", "1"), ("learning-rate", "1e-3", "2e-3")]
    perfect, *groups = plan.plan([], ["ring"], "50", vary)
    assert perfect.title == PERFECT
    assert [group.title for group in groups] == [
        "penalty 0.01, learning_rate 0.001",
        "penalty 0.01, learning_rate 0.002",
        "penalty 1.0, learning_rate 0.001",
        "penalty 1.0, learning_rate 0.002",
    ]
    assert {group.settings["steps"] for group in groups} == {50}
    assert groups[1].settings["penalty"] == 0.01
    assert groups[1].settings["learning_rate"] == 2e-3


def test_all_recipes_are_planned_by_default():
    groups = plan.plan([], ["ring", "grid"], "published")
    titles = [PERFECT, *plan.recipes(), OURS]
    assert [(group.landscape, group.title) for group in groups] == [
        (landscape, title) for landscape in ("ring", "grid") for title in titles
    ]
    for group in groups:
        if group.experiment:
            EXPERIMENTS[group.experiment](**group.settings)  # valid settings


def test_steps_of_each_recipe():
    assert plan._steps("published", 400_000, "pacgan1") == 400_000
    assert plan._steps("1/40", 400_000, "pacgan1") == 10_000
    assert plan._steps("1/40", 400_000, OURS) == 400_000
    assert plan._steps("quick", 400_000, "pacgan1") == 4_000
    assert plan._steps("quick", 400_000, OURS) == 400_000
    assert plan._steps("300", 400_000, OURS) == 300


def test_quick_has_a_fraction_for_every_published_recipe():
    assert plan.QUICK.keys() == plan.recipes().keys()
    assert all(0 < part <= 1 for part in plan.QUICK.values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--recipes", "pacgan9"], "there is no recipe 'pacgan9'"),
        (["--landscapes", "cartoon"], "there is no landscape 'cartoon'"),
        (["--vary", "penalties", "1"], "did you mean penalty?"),
        (["--vary", "penalty"], "needs values"),
        (["--vary", "penalty", "-1"], "penalty"),
        (["--steps", "0"], "--steps is"),
        (["--steps", "3/2"], "--steps is"),
        (["--steps", "many"], "--steps is"),
        (["--quick", "--steps", "50"], "give only one of"),
        (["--seeds", "0"], "--seeds must be"),
        (["--samples", "5"], "--samples must be"),
        (["--jobs", "0"], "--jobs must be"),
    ],
)
def test_wrong_options_are_refused(words, said, tmp_path):
    with pytest.raises(UserError, match=re.escape(said)):
        command.main([*words, "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_a_worker_stays_with_its_group_and_then_helps_another():
    tasks = Tasks([(0, "a"), (0, "b"), (0, "c"), (1, "d")])
    assert tasks.take(None) == (0, "a")
    assert tasks.take(None) == (1, "d")
    assert tasks.take(0) == (0, "b")
    assert tasks.take(1) == (0, "c")  # no task is left in its group, and no group is unstarted
    assert tasks.take(0) is None


def test_tasks_of_a_group_that_is_given_up_are_dropped():
    tasks = Tasks([(0, "a"), (0, "b"), (1, "c")])
    tasks.take(None)
    tasks.give_up(0, "no memory")
    assert tasks.take(0) == (1, "c")
    assert tasks.failed == {0: "no memory"}


def test_workers_get_one_thread(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=/tmp")
    found = environment("cpu")
    assert found["NPROC"] == "1"
    assert "dump" not in found["XLA_FLAGS"]
    assert environment("gpu").get("XLA_FLAGS") is None


def test_stored_runs_are_found_again_after_an_incomplete_line(tmp_path):
    store = RunStore(tmp_path)
    for name in ("one", "two"):
        np.savez(store.samples(name), samples=np.zeros(1))
    store.add("one", {"captured": 8.0})
    with (tmp_path / FILE).open("a") as file:
        file.write('{"identity": "two", "capt')
    again = RunStore(tmp_path)
    assert again.find("one") == {"identity": "one", "captured": 8.0}
    assert again.find("two") is None
    again.add("two", {"captured": 7.0})
    again.add("one", {"captured": 6.0})
    third = RunStore(tmp_path)
    assert third.find("one") == {"identity": "one", "captured": 6.0}
    assert third.find("two") == {"identity": "two", "captured": 7.0}
    third.samples("one").unlink()
    assert third.find("one") is None
    third.forget("two")
    assert third.find("two") is None


def test_a_run_is_the_same_as_by_train(trainer, tmp_path):
    (run,) = trainer.train([2])
    experiment = EXPERIMENTS["lsgan"](seed=2, steps=3, width=4, batch=8, picture_every=0)
    folder = RunFolder.create(tmp_path / "run")
    fit(experiment, folder, quiet=True)
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert run.facts["state_sha256"] == manifest["state_sha256"]
    assert run.facts["seed"] == 2
    assert run.facts["diverged_at"] is None
    assert run.samples.shape == (200, 2)
    assert run.surface.shape == (120, 120)
    assert np.isfinite(run.surface).all()


def test_another_seed_does_not_compile_again(trainer):
    trainer.train([0])
    before = trainer.chunk._cache_size()
    assert before == 1
    one, other = trainer.train([1])[0], trainer.train([3])[0]
    assert trainer.chunk._cache_size() == before
    assert one.facts["state_sha256"] != other.facts["state_sha256"]


def test_a_population_gives_each_seed_its_own_run(trainer):
    both = Trainer(tiny(), 200, together=2).train([0, 2])
    (alone,) = trainer.train([2])
    assert [run.facts["seed"] for run in both] == [0, 2]
    np.testing.assert_allclose(both[1].samples, alone.samples, rtol=1e-4, atol=1e-5)
    assert np.abs(both[0].samples - alone.samples).max() > 1e-3


def test_the_digest_of_the_program_changes_with_it(trainer):
    assert trainer.program == Trainer(tiny(), 200).program
    group = tiny()
    group["settings"]["learning_rate"] *= 2
    assert Trainer(group, 200).program != trainer.program


def test_a_run_that_diverges_ends_with_its_last_finite_state(trainer, monkeypatch):
    whole, chunk = trainer.train([0])[0], trainer.chunk

    def diverging(state, source, data_key, count):
        first = int(state.step)
        state, metrics = chunk(state, source, data_key, count)
        finite = np.arange(first, first + len(metrics["finite"])) != 2  # all except the third step
        return state, metrics | {"finite": finite}

    monkeypatch.setattr(trainer, "chunk", diverging)
    (run,) = trainer.train([0])
    assert run.facts["diverged_at"] == 3
    assert run.facts["state_sha256"] != whole.facts["state_sha256"]
    assert np.isfinite(run.samples).all()


def test_the_perfect_sampler_is_measured_like_a_generator():
    sampler = PerfectSampler({"landscape": "ring"}, 1000)
    one, other = sampler.train([0, 1])
    assert not np.array_equal(one.samples, other.samples)
    found = measures.of_samples("ring", 0, one.samples)
    assert found["modes"] == found["captured"] == 8
    assert found["high_quality"] == pytest.approx(0.9889, abs=0.013)
    assert found["deviation_high_quality"] == pytest.approx(0.974, abs=0.04)
    assert 0.001 < found["energy_p"] <= 1


def test_collapse_and_infinite_samples_fail_the_energy_test():
    point = np.tile(np.float32([[1.0, 0.0]]), (300, 1))
    assert measures.of_samples("ring", 0, point)["energy_p"] < 0.01
    broken = np.full((300, 2), np.nan, np.float32)
    found = measures.of_samples("ring", 0, broken)
    assert found["energy_p"] < 0.01
    assert found["energy"] is None
    assert found["captured"] == 0
    assert found["deviation"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_landscape_without_modes():
    sample = PerfectSampler({"landscape": "spiral"}, 300).train([0])[0].samples
    found = measures.of_samples("spiral", 0, sample)
    assert found["captured"] is None
    assert found["energy_p"] > 0.001


def test_a_worker_answers(tmp_path):
    worker = Worker(200, {"jax": "9.9.9"})
    files = [str(tmp_path / "0.npz")]
    group = {"experiment": None, "landscape": "ring"}
    asked = {"group": group, "seeds": [0], "files": files}
    answer = worker.answer({"do": "train", **asked})
    assert answer["compile_seconds"] > 0
    assert answer["program"] == worker.answer({"do": "program", "group": group})["program"]
    (run,) = answer["runs"]
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    (measures,) = worker.answer({"do": "measure", **asked})["runs"]
    assert {name: run[name] for name in measures} == measures
    assert worker.answer({"do": "train", **asked})["compile_seconds"] == 0
    with pytest.raises(ValueError, match="cannot do"):
        worker.answer({"do": "sing", "group": group})


def test_written_samples_can_be_read(tmp_path):
    (run,) = PerfectSampler({"landscape": "ring"}, 100).train([0])
    write(str(tmp_path / "a.npz"), run)
    with np.load(tmp_path / "a.npz") as arrays:
        assert set(arrays) == {"samples"}


@pytest.fixture
def words(tmp_path):
    words = ["--recipes", "lsgan", "--landscapes", "ring", "--steps", "3", "--samples", "200", "--jobs", "1"]
    words += ["--vary", "width", "4", "--vary", "batch", "8", "--runs", str(tmp_path / "runs")]
    return [*words, "--out", str(tmp_path / "out")]


def test_the_whole_command_and_its_continuation(words, tmp_path, capsys):
    assert command.main([*words, "--seeds", "1"]) == 0
    first = json.loads((tmp_path / "out/table.json").read_text())
    assert first["made"] == len(first["runs"]) == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"table.json", "table.md", "table.png"}

    file = tmp_path / "runs" / FILE
    perfect, generated = (json.loads(line) for line in file.read_text().splitlines())
    changed = [perfect | {"program": "of other code"}, generated | {"captured": -1}]
    file.write_text("".join(json.dumps(row) + "\n" for row in changed))
    capsys.readouterr()
    assert command.main([*words, "--seeds", "2", "--remeasure"]) == 0
    again, said = json.loads((tmp_path / "out/table.json").read_text()), capsys.readouterr().out
    assert again["made"] == 3  # one run of the recipe was stored
    assert len(again["runs"]) == 4
    assert next(run for run in again["runs"] if run["group"] == 1) == first["runs"][1]  # measured again
    assert "perfect sampler, ring: the code has changed: run again" in said
    assert "width 4, batch 8, ring, seed 1" in said
    assert "width 4, batch 8, ring, seed 0" not in said
    assert "| width 4, batch 8 | 3 (1/13333) |" in (tmp_path / "out/table.md").read_text()


class Failing(Pool):
    """A pool whose workers cannot be started."""

    def _worker(self, number):
        from benchmarks.workers import WorkerFailed

        raise WorkerFailed("no memory")


def test_groups_that_cannot_be_measured_are_noted(words, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.toy_tables.pool.Pool", Failing)
    assert command.main(words) == 1
    assert "- width 4, batch 8 on ring: no memory" in (tmp_path / "out/table.md").read_text()


def test_keys_are_those_of_a_run():
    parts = jax.random.split(jax.random.key(7), 4)
    keys = measures.keys(7)
    assert [keys.init, keys.data, keys.score] == [parts[0], parts[1], parts[3]]
