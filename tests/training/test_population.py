"""fit_population: up to rounding, members equal their single runs; they train and stop together."""

import dataclasses
import shutil
import signal
from typing import ClassVar

import jax
import numpy as np
import pandas
import pytest
import small_runs

from ganjax.datasets import batches, toy
from ganjax.experiments import EXPERIMENTS
from ganjax.runs.checkpointer import CheckpointPolicy
from ganjax.runs.interval import Interval, IntervalTimer
from ganjax.runs.run_folder import step_of
from ganjax.system.errors import UserError
from ganjax.system.lock import Lock
from ganjax.training import Diverged, RunFolder, fit, fit_population, population
from ganjax.training.recorder import DivergedError
from ganjax.training.reproduce import expected_of, reproduce

SEEDS = (0, 1, 2)


def folders(path, seeds=SEEDS):
    return [RunFolder.create(path / str(seed)) for seed in seeds]


def trained(path, experiment, seeds=SEEDS, **options):
    """Folders and outcomes of `experiment` with these seeds."""
    members = [dataclasses.replace(experiment, seed=seed) for seed in seeds]
    its = [RunFolder(folder) for folder in (path / str(seed) for seed in seeds)]
    if not options.get("resume"):
        its = folders(path, seeds)
    return its, fit_population(members, its, **{"quiet": True} | options)


def contents(folder):
    """Bytes of every file but the manifest by name; of models, which say how Keras named layers, names."""
    return {
        str(path.relative_to(folder.path)): b"" if path.suffix == ".keras" else path.read_bytes()
        for path in folder.path.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", Lock.NAME)
    }


def digests(folder):
    return folder.read_manifest()["digests"]


def final_arrays(folder):
    (path,) = folder.checkpoints()
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays if "/" in name and not name.startswith("witnesses")}


def close(one, other, tolerance=1e-3):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.fixture(scope="module")
def dots_population(base):
    return trained(base / "population", small_runs.Dots())


def test_a_member_leaves_what_its_single_run_does_but_for_rounding(dots, dots_population, tmp_path):
    single_1 = RunFolder.create(tmp_path / "1")
    fit(small_runs.Dots(seed=1), single_1, quiet=True)
    members, outcomes = dots_population
    for single, member, outcome in zip((dots, single_1), members[:2], outcomes[:2], strict=True):
        assert contents(member).keys() == contents(single).keys()
        assert digests(member)["0"] == digests(single)["0"]  # the first state is its own to the bit
        close(final_arrays(member), final_arrays(single))
        ours, theirs = (pandas.read_csv(folder.metrics_path) for folder in (member, single))
        close(dict(ours), dict(theirs))
        close(outcome.scores, single.read_manifest()["scores"])
    assert len({member.read_manifest()["state_sha256"] for member in members}) == 3


def test_the_manifest_names_the_population(dots_population):
    members, outcomes = dots_population
    for seed, member, outcome in zip(SEEDS, members, outcomes, strict=True):
        manifest = member.read_manifest()
        assert manifest["population"] == {"seeds": list(SEEDS)}
        assert manifest["settings"]["seed"] == seed
        assert (manifest["status"], manifest["steps_done"], manifest["scores"]) == (
            "finished",
            12,
            outcome.scores,
        )


def test_the_same_seeds_give_the_same_bytes(dots_population, tmp_path):
    again, _ = trained(tmp_path, small_runs.Dots())
    for first, second in zip(dots_population[0], again, strict=True):
        assert contents(first) == contents(second)


def test_bits_do_not_depend_on_who_the_others_are(dots_population, tmp_path):
    others, _ = trained(tmp_path, small_runs.Dots(picture_every=0), seeds=(7, 1, 5))
    assert digests(others[1]) == digests(dots_population[0][1])


def test_a_member_is_reproduced_among_as_many(dots_population):
    for seed, member in zip(SEEDS[1:], dots_population[0][1:], strict=True):
        manifest = member.read_manifest()
        found = reproduce(small_runs.Dots(seed=seed), manifest, expected_of(manifest, member, None))
        assert [(each.step, each.identical) for each in found] == [
            (step, True) for step in (0, 1, 2, 5, 10, 12)
        ]


@pytest.mark.parametrize("population", [3, {}, {"seeds": []}, {"seeds": ["0"]}, {"seeds": {"0": 1}}])
def test_a_population_that_makes_no_sense_is_said_in_one_line(dots_population, population):
    manifest = dots_population[0][0].read_manifest() | {"population": population}
    with pytest.raises(UserError, match="described by its seeds"):
        next(reproduce(small_runs.Dots(), manifest, expected_of(manifest, None, None)))


# What is not trained at once.


def test_convolutions_are_trained_one_after_another_each_as_alone(tiles, tmp_path, capsys):
    members, outcomes = trained(tmp_path, small_runs.Tiles(), seeds=(4, 0), quiet=False)
    assert contents(members[1]) == contents(tiles)
    assert "population" not in members[0].read_manifest()
    assert [outcome.step for outcome in outcomes] == [3, 3]
    assert "one after another: convolutions" in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize(
    ("constant", "value", "said"),
    [("MAX_BYTES", 1000, "do not fit in memory"), ("same_under_vmap", None, "of kind")],
)
def test_reasons_to_train_separately(monkeypatch, constant, value, said):
    experiments = [small_runs.Dots(seed=seed) for seed in SEEDS]
    assert population.reason_to_train_separately(experiments) is None
    monkeypatch.setattr(population, constant, value or (lambda key: False))
    assert said in population.reason_to_train_separately(experiments)


class OtherData(small_runs.Dots):
    """A function of its own for every seed: nothing that one program could draw from."""

    def load(self, progress):
        return batches.Sampled(lambda key, n: toy.ring(key, n)), {"name": "ring"}


def test_data_of_several_forms_are_trained_one_after_another(dots, tmp_path, capsys):
    members, _ = trained(tmp_path, OtherData(steps=1, picture_every=0), seeds=(0, 1), quiet=False)
    assert "their data" in capsys.readouterr().err
    assert "population" not in members[0].read_manifest()


def test_data_and_best_states_that_follow_from_the_seed(tmp_path):
    experiment = EXPERIMENTS["original-toy"](steps=4, batch=50, picture_every=0)
    members, outcomes = trained(tmp_path / "all", experiment, seeds=(3, 1))
    for seed, member, outcome in zip((3, 1), members, outcomes, strict=True):
        single = RunFolder.create(tmp_path / str(seed))
        alone = fit(dataclasses.replace(experiment, seed=seed), single, quiet=True)
        close(outcome.scores, alone.scores)
        assert outcome.scores["real_mean"] == alone.scores["real_mean"]
        assert int(outcome.state.step) == int(alone.state.step)
        assert contents(member).keys() == contents(single).keys()


# Divergence.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unequal(small_runs.Dots):
    """One of the samples of seed 1 is no number: it is drawn in one of the first 8 steps."""

    def load(self, progress):
        points = batches.Resident(toy.ring(jax.random.key(self.seed), 8 * self.batch))
        spoilt = jax.numpy.arange(8 * self.batch)[:, None] == 0
        if self.seed == 1:
            points = jax.tree.map(lambda array: jax.numpy.where(spoilt, np.nan, array), points)
        return points, {"name": "ring"}


def test_a_member_that_diverges_is_closed_and_the_others_go_on(tmp_path):
    with pytest.raises(DivergedError) as alone:
        fit(Unequal(seed=1), RunFolder.create(tmp_path / "alone"), quiet=True)
    members, outcomes = trained(tmp_path / "some", Unequal())
    assert 1 < outcomes[1].step == alone.value.step <= 8
    manifest = members[1].read_manifest()
    assert (manifest["status"], manifest["steps_done"]) == ("diverged", int(alone.value.good.step))
    assert (manifest["diverged_at"], manifest["reason"]) == (outcomes[1].step, outcomes[1].reason)
    assert members[1].checkpoint_path(manifest["steps_done"]).exists()
    assert not members[1].model_path("generator").exists()

    unharmed, _ = trained(tmp_path / "none", Unequal(), seeds=(0, 3, 2))
    for i in (0, 2):
        assert outcomes[i].step == 12
        assert contents(members[i]).keys() == contents(unharmed[i]).keys()
        assert digests(members[i]) == digests(unharmed[i])


def test_where_all_diverge_nothing_goes_on(tmp_path):
    members, outcomes = trained(tmp_path, small_runs.Dots(learning_rate=1e30, log_every=1), seeds=(0, 1))
    assert all(isinstance(outcome, Diverged) for outcome in outcomes)
    assert max(pandas.read_csv(member.metrics_path).step.max() for member in members) < 12
    _, again = trained(tmp_path, small_runs.Dots(learning_rate=1e30, log_every=1), seeds=(0, 1), resume=True)
    assert again == outcomes


def test_one_after_another_those_that_diverge_do_not_stop_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(population, "MAX_BYTES", 0)
    _, outcomes = trained(tmp_path, Unequal(steps=8, picture_every=0))
    assert [isinstance(outcome, Diverged) for outcome in outcomes] == [False, True, False]


# Stopping and going on.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stopped(small_runs.Dots):
    """Presses Ctrl-C while the picture of step 4 of seed 1 is drawn."""

    stopped: ClassVar[bool] = False

    def draw(self, path, state, source, key):
        super().draw(path, state, source, key)
        if self.seed == 1 and path.name == "step_0000004.png" and not Stopped.stopped:
            Stopped.stopped = True
            signal.raise_signal(signal.SIGINT)


def test_all_stop_at_one_step_and_go_on_to_the_same_bytes(dots_population, tmp_path, monkeypatch):
    monkeypatch.setattr(Stopped, "stopped", False)
    members, outcomes = trained(tmp_path, Stopped())
    assert [(outcome.step, outcome.stopped_by) for outcome in outcomes] == [(4, signal.SIGINT)] * 3
    assert all(member.checkpoint_path(4).exists() for member in members)
    assert {member.read_manifest()["status"] for member in members} == {"interrupted"}
    members, outcomes = trained(tmp_path, Stopped(), resume=True)
    for member, whole, outcome in zip(members, dots_population[0], outcomes, strict=True):
        assert contents(member) == contents(whole)
        assert digests(member) == digests(whole)
        assert (outcome.step, outcome.stopped_by) == (12, 0)


def test_one_after_another_a_signal_stops_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(population, "MAX_BYTES", 0)
    monkeypatch.setattr(Stopped, "stopped", False)
    members, outcomes = trained(tmp_path, Stopped())
    assert [(outcome.step, outcome.stopped_by) for outcome in outcomes] == [(12, 0), (4, signal.SIGINT)]
    assert members[2].is_empty()
    members, outcomes = trained(tmp_path, Stopped(), resume=True)
    assert [outcome.step for outcome in outcomes] == [12, 12, 12]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crashing(small_runs.Dots):
    """Fails while the picture of step 12 of seed 2 is drawn."""

    crashes: ClassVar[bool] = True

    def draw(self, path, state, source, key):
        if self.crashes and self.seed == 2 and path.name == "step_0000012.png":
            raise RuntimeError("a bug")
        super().draw(path, state, source, key)


def test_where_checkpoints_are_uneven_all_go_on_from_the_last_in_common(
    dots_population, tmp_path, monkeypatch, capsys
):
    every_four = CheckpointPolicy(Interval(steps=4))
    with pytest.raises(RuntimeError, match="a bug"):
        trained(tmp_path, Crashing(), checkpoint_policy=every_four)
    members = [RunFolder(tmp_path / str(seed)) for seed in SEEDS]
    assert [[step_of(path) for path in member.checkpoints()] for member in members] == [[4, 8]] * 3
    damaged = members[0].checkpoint_path(8)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    monkeypatch.setattr(Crashing, "crashes", False)

    trained(tmp_path, Crashing(steps=12), resume=True, quiet=False)
    assert f"{damaged} is damaged" in capsys.readouterr().err
    assert [member.read_manifest()["sessions"][-1]["from_step"] for member in members] == [4, 4, 4]
    for member, whole in zip(members, dots_population[0], strict=True):
        assert contents(member) == contents(whole)


def test_where_one_has_no_checkpoint_all_begin_anew(dots_population, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Stopped, "stopped", False)
    members, _ = trained(tmp_path, Stopped())
    members[1].checkpoint_path(4).unlink()
    trained(tmp_path, Stopped(), resume=True, quiet=False)
    assert "no usable checkpoint of the same step" in capsys.readouterr().err
    for member, whole in zip(members, dots_population[0], strict=True):
        assert contents(member) == contents(whole)


def test_a_member_that_has_diverged_stays_so(tmp_path, monkeypatch):
    experiment = Unequal(steps=12)
    whole, _ = trained(tmp_path / "whole", experiment)

    def stop_at_8(self, step):
        if step == 8:
            signal.raise_signal(signal.SIGINT)
        return False

    with monkeypatch.context() as patched:
        patched.setattr(IntervalTimer, "due", stop_at_8)
        members, outcomes = trained(tmp_path / "stopped", experiment)
    assert [outcome.step for outcome in outcomes] == [10, outcomes[1].step, 10]
    diverged = members[1].manifest_path.read_bytes()
    members, again = trained(tmp_path / "stopped", experiment, resume=True)
    assert again[1] == outcomes[1]
    assert members[1].manifest_path.read_bytes() == diverged
    for i in (0, 2):
        assert contents(members[i]) == contents(whole[i])
    assert members[1].metrics_path.read_bytes() == whole[1].metrics_path.read_bytes()


def test_a_member_is_neither_resumed_alone_nor_in_other_company(dots_population):
    base = dots_population[0][0].path.parent
    before = contents(RunFolder(base / "1"))
    with pytest.raises(
        UserError, match="a member of the population `ganjax train dots --seeds 0:3`, not a single run"
    ):
        fit(small_runs.Dots(seed=1), RunFolder(base / "1"), resume=True, quiet=True)
    with pytest.raises(UserError, match=r"--seeds 0:3`, not a member of the population .* --seeds 0,2`"):
        trained(base, small_runs.Dots(), seeds=(0, 2), resume=True)
    assert contents(RunFolder(base / "1")) == before


def test_a_single_run_is_not_made_a_member(dots, tmp_path):
    shutil.copytree(dots.path, tmp_path / "0")
    RunFolder.create(tmp_path / "1")
    with pytest.raises(UserError, match="a single run, not a member of the population"):
        trained(tmp_path, small_runs.Dots(), seeds=(0, 1), resume=True)


def test_one_process_at_a_time_in_all_of_the_folders(tmp_path):
    its = folders(tmp_path)
    with Lock(its[2].path), pytest.raises(UserError, match="is in use"):
        fit_population([small_runs.Dots(seed=seed) for seed in SEEDS], its, quiet=True)
    assert all(folder.is_empty() for folder in its)


# Several devices, in a process of its own, which has them.

ON_TWO_DEVICES = """
import jax, numpy, pathlib, small_runs, sys
from ganjax.training import RunFolder, chunked_run, fit_population, population

spread = []
def watched(chunk, state, *rest):
    def noted(state, *arguments):
        state, metrics = chunk(state, *arguments)
        spread.append(*{leaf.sharding.num_devices for leaf in jax.tree.leaves(state)})
        return state, metrics
    return chunked_run.run_chunks(noted, state, *rest)
population.run_chunks = watched

def train(name, seeds, experiment):
    folders = [RunFolder.create(f"{name}/{seed}") for seed in seeds]
    fit_population([experiment(seed=seed) for seed in seeds], folders)

class Own(small_runs.Dots):
    def load(self, progress):
        from ganjax.datasets import batches, toy
        return batches.Whole(toy.ring(jax.random.key(self.seed), self.batch)), {"name": "ring"}

jax.config.update("jax_log_compiles", True)
train("even", (0, 1, 2, 3), small_runs.Dots)
train("own", (0, 1), lambda seed: Own(seed=seed, steps=2, picture_every=0))
print(*set(spread))
spread.clear()
train("odd", (0, 1, 2), lambda seed: small_runs.Dots(seed=seed, steps=1, picture_every=0))
print(*set(spread))
"""


def test_members_are_spread_over_devices(base, dots_population, tmp_path):
    environment = small_runs.environment(base)
    environment["XLA_FLAGS"] += " --xla_force_host_platform_device_count=2"
    result = small_runs.python(base, "-c", ON_TWO_DEVICES, env=environment, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["2", "1"]  # devices
    assert result.stderr.count("Compiling jit(chunk)") == 3  # once in each population
    assert "3 runs cannot be divided evenly among 2 devices: using 1" in result.stderr
    for seed in SEEDS:
        close(final_arrays(RunFolder(tmp_path / "even" / str(seed))), final_arrays(dots_population[0][seed]))
    assert contents(RunFolder(tmp_path / "even" / "3")).keys() == contents(dots_population[0][0]).keys()
