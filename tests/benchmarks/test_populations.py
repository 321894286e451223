"""Ways of training seeds: their order, with simulated processes; a real worker; and reports."""

import json
import logging
import re
from pathlib import Path

import jax
import pytest
import small_runs

from benchmarks.populations import command, report
from benchmarks.populations.worker import Worker
from benchmarks.workers import WorkerFailed
from ganjax.experiments import EXPERIMENTS
from ganjax.system.errors import UserError

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
SECONDS = {0: 2.0, 1: 1.5, None: 1.5}  # by group, of each seed; any other group: 1


class Process:
    """Answers like a worker, without training; `asked` records all requested runs, by group."""

    asked: list = []  # noqa: RUF012
    environments: list = []  # noqa: RUF012
    chooses, losses, fails = 1, 0.5, "nobody"

    def __init__(self, command, log, environment, folder):
        assert command[1:3] == ["-m", "benchmarks.populations.worker"]
        self.environments.append(environment)

    def hello(self):
        return {"versions": {"jax": "9.9.9"}}

    def ask(self, do, **more):
        if do == "begin":
            self.group, self.seeds = more["group"], more["seeds"]
            loss = 0.5 if self.group == 0 else self.losses
            group = min(self.chooses, self.seeds) if self.group is None else self.group
            return {"compile_seconds": 3.0, "group": group, "losses": [loss] * self.seeds}
        if do == "memory":
            return {"bytes": 5e8, "kind": "resident set"}
        if self.fails == self.group:
            raise WorkerFailed("killed by signal 9")
        self.asked.append((self.group, self.seeds))
        return {"seconds": self.seeds * SECONDS.get(self.group, 1.0)}

    def stop(self):
        pass


@pytest.fixture
def processes(monkeypatch):
    monkeypatch.setattr(command, "WorkerProcess", Process)
    monkeypatch.setattr(Process, "asked", [])
    monkeypatch.setattr(Process, "environments", [])
    return Process


def ran(tmp_path, *words):
    code = command.main([*words, "--out", str(tmp_path / "out")])
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    return code, found, (tmp_path / "out" / "README.md").read_text()


def test_ways_alternate_and_few_are_trained_one_after_another(processes, tmp_path, capsys):
    code, found, text = ran(tmp_path, "--seeds", "1", "8", "--alone", "4", "--rounds", "3")
    assert code == 0
    one, eight = processes.asked[:6], processes.asked[6:]
    assert one == [(0, 1), (None, 1), (None, 1), (0, 1), (0, 1), (None, 1)]
    ways = [(0, 4), (None, 8), (8, 8)]
    assert eight == [*ways, *ways[1:], ways[0], ways[2], *ways[:2]]
    assert [(row["seeds"], row["trained"], row["group"]) for row in found["rows"]] == [
        (1, 1, 0), (1, 1, 1), (8, 4, 0), (8, 8, 1), (8, 8, 8),
    ]  # fmt: skip
    assert found["rows"][2]["seconds"] == [8.0] * 3  # as measured, of four
    assert found["versions"] == {"jax": "9.9.9"}
    assert "| 8 | one after another | ≈ 16.0 (16.0 to 16.0) | 6.25 | 20.0 | 1 | 3.0 s | 500 MB |" in text
    assert "| 8 | population, all at once | 8.00 (8.00 to 8.00) | 12.5 | 10.0 | 2.00 (2.00 to 2.00) |" in text
    assert "8 seeds, population, one by one (its choice): 1.33 times as fast as one after another." in text
    assert "at most 4 seeds are trained" in text
    assert "--out out" in text
    assert str(tmp_path) not in text + json.dumps(found)
    assert "8 seeds, population, all at once: 2.00 times as fast" in capsys.readouterr().out


def test_processes_have_the_same_environment_without_a_cache(processes, tmp_path):
    ran(tmp_path, "--seeds", "2")
    assert len(processes.environments) == 3
    assert processes.environments.count(processes.environments[0]) == 3
    assert processes.environments[0]["JAX_ENABLE_COMPILATION_CACHE"] == "false"


def test_a_population_that_chooses_all_at_once_is_trained_once(processes, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "chooses", 99)
    _, found, _ = ran(tmp_path, "ring-16", "--seeds", "3")
    assert [row["group"] for row in found["rows"]] == [0, 3]
    assert {row["steps"] for row in found["rows"]} == {command.WORKLOADS["ring-16"].steps}


def test_other_work_is_marked(processes, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "losses", 0.51)
    code, found, text = ran(tmp_path, "--seeds", "2")
    assert code == 1
    assert [bool(row["error"]) for row in found["rows"]] == [False, True, True]
    assert "other work: a first loss of 0.51, but 0.5 one after another" in text
    assert "times as" not in text


@pytest.mark.parametrize(("fails", "findings"), [(0, 0), (2, 1)])
def test_a_way_that_fails_is_marked_and_the_others_continue(
    processes, tmp_path, monkeypatch, fails, findings
):
    monkeypatch.setattr(processes, "fails", fails)
    code, found, text = ran(tmp_path, "--seeds", "2", "--rounds", "1")
    assert code == 1
    assert len(processes.asked) == 2
    assert sum(row["error"] == "killed by signal 9" for row in found["rows"]) == 1
    assert text.count("| failed |") == 1
    assert text.count("times as") == findings


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["knots"], "there is no workload 'knots'"),
        (["--seeds", "0"], "--seeds must be"),
        (["--alone", "0"], "--alone must be"),
        (["--steps", "0"], "--steps must be"),
        (["--rounds", "0"], "--rounds must be"),
    ],
)
def test_wrong_options_are_refused(words, said, tmp_path):
    with pytest.raises(UserError, match=re.escape(said)):
        command.main([*words, "--out", str(tmp_path / "out")])
    assert not list(tmp_path.iterdir())


def test_quick_is_small(processes, tmp_path):
    _, found, text = ran(tmp_path, "--quick")
    assert {row["seeds"] for row in found["rows"]} == {1, 3}
    assert {row["steps"] for row in found["rows"]} == {10}
    assert "do not quote its figures" in text


def test_workloads_can_be_built():
    for workload in command.WORKLOADS.values():
        EXPERIMENTS[workload.experiment](**workload.settings)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ([4.0, 5.0], "2.25 times as fast as one after another"),
        ([40.0, 50.0], "4.44 times as slow as one after another"),
        ([9.0, 11.0], "as fast as one after another, within the spread"),
    ],
)
def test_findings(seconds, said):
    alone = {"workload": "w", "seeds": 2, "way": "one after another", "trained": 1, "error": None}
    alone |= {"seconds": [5.0, 5.0], "steps": 10, "group": 0, "chosen": False}
    row = alone | {"way": "population", "trained": 2, "group": 2, "seconds": seconds}
    (sentence,) = report.findings([alone, row])
    assert said in sentence
    assert report.ratio(row, alone).median == pytest.approx(sum(10 / x for x in seconds) / 2)


@pytest.mark.parametrize(
    "path", sorted(RESULTS.glob("populations-*/*/results.json")), ids=lambda path: path.parent.name
)
def test_committed_results_can_be_reported(path):
    found = json.loads(path.read_text())
    text = report.readme(found)
    assert f"## {path.parent.name}, " in text
    assert all(f"| {row['seeds']} | {report.way(row)} |" in text for row in found["rows"])


# Real training.


@pytest.fixture(scope="module")
def answers(compiled, unoptimized):
    """Two workers that train two seeds: by group, their answers, and how often "run" compiled."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EXPERIMENTS, "dots", small_runs.Dots)
        for group in (0, None):
            worker = Worker()
            asked = {"experiment": "dots", "settings": {"batch": 8}, "steps": 6, "seeds": 2, "group": group}
            begun = worker.answer({"do": "begin", **asked})
            compiled.clear()
            with jax.log_compiles():
                ran = worker.answer({"do": "run"})
            found[group] = begun, ran, worker.answer({"do": "memory"}), len(compiled)
    return found


@pytest.fixture(scope="module")
def unoptimized():
    """Most of the time of these tests is compiling."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def compiled():
    """Messages about what JAX compiles, while it logs them."""
    names, logger = [], logging.getLogger("jax")

    class Handler(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith("Compiling"):
                names.append(record.getMessage())

    handler = Handler()
    logger.addHandler(handler)
    yield names
    logger.removeHandler(handler)


def test_nothing_is_compiled_while_it_is_timed(answers):
    assert [answers[group][3] for group in answers] == [0, 0]


def test_control_the_handler_records_compilations(compiled):
    compiled.clear()
    with jax.log_compiles():
        jax.jit(lambda x: x + 1)(0)
    assert compiled


def test_all_ways_do_the_same_work_from_the_same_keys(answers):
    alone, together = (answers[group][0]["losses"] for group in (0, None))
    assert len(alone) == 2
    assert abs(alone[0] - alone[1]) > 1e-4
    assert together == pytest.approx(alone, rel=1e-5)
    assert [answers[group][0]["group"] for group in (0, None)] == [0, 2]


def test_answers_of_a_worker_are_json(answers):
    for begun, ran, memory, _ in answers.values():
        assert begun["compile_seconds"] > ran["seconds"] > 0
        assert memory["bytes"] > 10**7
        json.dumps([begun, ran, memory], allow_nan=False)


def test_a_worker_refuses_other_requests():
    with pytest.raises(ValueError, match="cannot do 'sing'"):
        Worker().answer({"do": "sing"})
