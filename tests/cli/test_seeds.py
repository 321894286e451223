"""`ganjax train --seeds`: how seeds are read, what is printed at the end, and exit codes."""

import signal
import statistics
from pathlib import Path

import pytest
import small_runs
from hypothesis import given
from hypothesis import strategies as st
from small_runs import ended

from ganjax.cli.seeds import MOST, parse_seeds, score_table
from ganjax.experiments import EXPERIMENTS
from ganjax.runs.manifest import seeds_as_text
from ganjax.system.errors import UserError
from ganjax.training import Diverged, Outcome, RunFolder, population

SEED = st.integers(0, 2**32 - 1)


@given(seeds=st.lists(SEED, min_size=1, max_size=20, unique=True))
def test_a_list_of_seeds_is_read(seeds):
    assert parse_seeds(",".join(map(str, seeds))) == tuple(seeds)
    assert parse_seeds(seeds_as_text(seeds)) == tuple(seeds)


@given(first=SEED, count=st.integers(1, MOST))
def test_a_slice_is_half_open(first, count):
    seeds = parse_seeds(f"{first}:{first + count}")
    assert (seeds[0], seeds[-1], len(seeds)) == (first, first + count - 1, count)
    assert parse_seeds(seeds_as_text(seeds)) == seeds


@given(text=st.text(st.sampled_from("0123456789,:- x\n٣"), max_size=12))
def test_any_text_is_seeds_or_an_error_of_one_line(text):
    try:
        seeds, said = parse_seeds(text), ""
    except UserError as error:
        seeds, said = (0,), str(error)
    assert 1 <= len(set(seeds)) == len(seeds) <= MOST
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0:10"),
        (":5", "0:10"),
        ("0:10:2", "0:10"),
        ("-1:3", "0:10"),
        ("3:3", "names 0"),
        ("5:3", "names 0"),
        (f"0:{MOST + 1}", f"1 to {MOST}"),
        ("1,2,1", "twice"),
    ],
)
def test_text_that_is_not_seeds_is_an_error(text, said):
    with pytest.raises(UserError, match=said):
        parse_seeds(text)


@given(
    st.lists(
        st.fixed_dictionaries({"modes": st.floats(0, 8), "kl": st.floats(-1e6, 1e6)}), min_size=2, max_size=5
    )
)
def test_the_table_has_mean_error_minimum_and_maximum(scores):
    head, *lines = score_table(scores)
    assert head.split() == [str(len(scores)), "runs", "mean", "error", "min", "max"]
    assert len({len(line) for line in (head, *lines)}) == 1
    for line, name in zip(lines, scores[0], strict=True):
        values = [each[name] for each in scores]
        error = statistics.stdev(values) / len(values) ** 0.5
        expected = (statistics.fmean(values), error, min(values), max(values))
        assert line.split() == [name, *(f"{value:.4g}" for value in expected)]


def test_one_run_has_no_standard_error_and_none_has_no_table():
    assert score_table([{"modes": 8.0}])[1].split() == ["modes", "8", "nan", "8", "8"]
    assert score_table([]) == []


def test_a_score_that_some_runs_lack_is_averaged_over_the_others():
    with_width, without = {"modes": 8.0, "width": 0.5}, {"modes": 0.0}
    for scores in ([with_width, without], [without, with_width]):
        lines = [line.split() for line in score_table(scores)]
        assert lines[1][:2] == ["modes", "4"]
        assert lines[2] == ["width", "0.5", "nan", "0.5", "0.5"]


# The command.


@pytest.fixture(autouse=True)
def _dots_are_an_experiment(monkeypatch, tmp_path):
    monkeypatch.setitem(EXPERIMENTS, "dots", small_runs.Dots)
    monkeypatch.setitem(EXPERIMENTS, "tiles", small_runs.Tiles)
    monkeypatch.chdir(tmp_path)


def test_every_seed_has_its_folder_and_a_table_is_printed(capsys):
    assert ended("train dots --seeds 3,1 --steps 2 --picture-every 0") == 0
    out, err = capsys.readouterr()
    assert out == ""
    table = err.splitlines()[-3:-1]
    scores = [RunFolder(f"runs/dots-{seed}").read_manifest()["scores"]["mean_radius"] for seed in (3, 1)]
    assert table == score_table([{"mean_radius": score} for score in scores])
    assert "runs/dots-*: see" in err.splitlines()[-1]

    assert ended("train dots --seeds 1:3 --steps 2 --picture-every 0") == 2  # 1 is there, 2 is not
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert "runs/dots-1 contains a finished run: --overwrite replaces it" in err
    assert not Path("runs/dots-2").exists()
    assert ended("train dots --seeds 3,1 --steps 1 --picture-every 0 --overwrite --quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert RunFolder("runs/dots-1").read_manifest()["steps_done"] == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--seeds 0:2 --seed 0", "only one of them"),
        ("--seeds 0:2 --seed=1", "one of them"),
        ("--seeds 2:0", "names 0"),
        ("--seeds 4294967296", "4294967295"),
    ],
)
def test_mistakes_are_reported_in_one_line_and_nothing_is_written(capsys, flags, said):
    assert ended(f"train dots {flags}") == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert said in err
    assert not Path("runs").exists()


def stop_once(monkeypatch, number):
    """Send this process a signal after the first checkpoint."""
    save, sent = population.Session.note, []

    def note(self, result):
        save(self, result)
        if not sent:
            sent.append(number)
            signal.raise_signal(number)

    monkeypatch.setattr(population.Session, "note", note)


def test_ctrl_c_tells_how_to_continue_and_exits_with_130(capsys, monkeypatch):
    command = "train dots --seeds 0:2 --steps 4 --picture-every 0 --out here"
    stop_once(monkeypatch, signal.SIGINT)
    assert ended(command) == 130
    assert capsys.readouterr().err.splitlines()[-1] == (
        "stopped at step 1 of 4; to continue, use the same command with --resume"
    )
    assert ended(command) == 2
    assert "--resume continues it" in capsys.readouterr().err
    assert ended("resume here/dots-1") == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    population = "a member of the population `ganjax train dots --seeds 0:2`"
    assert f"here/dots-1 is {population}: use that command with --resume" in err
    assert ended(f"{command} --resume") == 0
    assert RunFolder("here/dots-1").read_manifest()["status"] == "finished"
    assert ended(f"{command} --resume") == 0  # nothing is left to do


def test_sigterm_exits_with_143(monkeypatch):
    stop_once(monkeypatch, signal.SIGTERM)
    assert ended("train dots --seeds 0:2 --steps 4 --picture-every 0") == 143


def test_diverged_runs_are_reported_in_one_line(capsys, monkeypatch):
    outcome = Outcome(None, 12, 0, {"mean_radius": 1.5}, {})
    results = [Diverged(812, "not finite"), outcome, Diverged(20, "not finite")]
    monkeypatch.setattr("ganjax.training.fit_population", lambda *_, **__: results)
    assert ended("train dots --seeds 0,4,7") == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].split()[:2] == ["1", "runs"]
    assert lines[-1].startswith(
        "ganjax: 2 of 3 runs diverged: seed 0 in step 812, seed 7 in step 20; the last good state of each"
    )


def test_runs_one_after_another_are_separate_runs(tiles, capsys):
    assert ended("train tiles --seeds 0:1 --steps 3 --batch 4 --picture-every 2") == 0
    assert "training one after another: convolutions" in capsys.readouterr().err
    assert RunFolder("runs/tiles-0").metrics_path.read_bytes() == tiles.metrics_path.read_bytes()
    assert "population" not in RunFolder("runs/tiles-0").read_manifest()


def test_a_full_disk_is_reported_with_the_command_to_continue(capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "runs/dots-0/metrics.csv")

    monkeypatch.setattr("ganjax.training.fit_population", full)
    assert ended("train dots --seeds 0:2") == 2
    err = capsys.readouterr().err
    assert small_runs.one_line(err)
    assert "No space left on device" in err
    assert "the same command with --resume" in err
