import json
import sys
from types import SimpleNamespace

import pytest
import results_by_hand as figures

from benchmarks import __main__, workers
from benchmarks.throughput import command, processes
from benchmarks.throughput.command import Options, check, make_plan
from benchmarks.throughput.workloads import QUICK, WORKLOADS
from ganjax.system.errors import UserError


@pytest.fixture
def finds(monkeypatch):
    """What the probes find: for each package the name of a GPU, None, or UserError if it is missing."""

    def pretend(jax=None, tensorflow=None):
        found = {"jax": jax, "tensorflow": tensorflow}

        def probe(python, package, environment):
            if found[package] is UserError:
                raise UserError(f"{python} has no working {package}")
            return {"version": "1", "gpu": found[package]}

        monkeypatch.setattr(processes, "probe", probe)

    return pretend


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(workloads=("dcgan-33",)), "no workload 'dcgan-33': did you mean dcgan-32"),
        (Options(paths=("pytorch",)), "no path 'pytorch'"),
        (Options(rounds=0), "--rounds must be from 1 to 50, got 0"),
        (Options(seconds=0.0), "--seconds must be positive, got 0"),
    ],
)
def test_options_that_are_wrong_on_every_machine(options, message):
    with pytest.raises(UserError, match=message):
        check(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(device="gpu"), "--device gpu: JAX finds no GPU"),
        (Options(precision=("tf32",)), "--precision tf32 is for GPUs"),
        (Options(deterministic=True), "--deterministic is for GPUs"),
    ],
)
def test_options_that_are_wrong_on_this_machine(finds, options, message):
    finds(jax=None)
    with pytest.raises(UserError, match=message):
        make_plan(options)


def test_by_default_everything_that_suits_a_cpu(finds):
    finds()
    plan = make_plan(Options())
    assert plan.workloads == tuple(name for name, workload in WORKLOADS.items() if not workload.large)
    assert plan.precisions == ("float32",)
    assert tuple(plan.pythons) == tuple(processes.MODULES)
    assert plan.conditions.device == "cpu"
    assert plan.determinisms == (False,)
    assert plan.timing.rounds >= 5


def test_large_workloads_run_on_a_cpu_when_named(finds):
    finds()
    assert make_plan(Options(workloads=("dcgan-128",))).workloads == ("dcgan-128",)


def test_by_default_everything_on_a_gpu(finds):
    finds("H100", "H100")
    plan = make_plan(Options(deterministic=True, gpu=1))
    assert plan.workloads == tuple(WORKLOADS)
    assert plan.precisions == ("float32", "tf32", "bfloat16")
    assert plan.conditions == workers.Conditions("gpu", 1)
    assert plan.determinisms == (False, True)


def test_quick(finds):
    finds()
    plan = make_plan(Options(quick=True))
    assert plan.workloads == QUICK
    assert plan.timing.rounds == 5


def test_without_tensorflow_its_paths_are_left_out(finds):
    finds(tensorflow=UserError)
    plan = make_plan(Options())
    assert list(plan.pythons) == ["ganjax-step", "ganjax-chunk", "keras-jax"]
    assert plan.notes == [f"no TensorFlow paths: {sys.executable} has no working tensorflow"]
    with pytest.raises(UserError, match="no TensorFlow paths"):
        make_plan(Options(paths=("tensorflow-xla",)))


def test_tensorflow_without_a_gpu_is_left_out_on_one(finds):
    finds("H100", None)
    plan = make_plan(Options())
    assert "tensorflow-graph" not in plan.pythons
    assert plan.notes == ["no TensorFlow paths: TensorFlow finds no GPU"]


@pytest.fixture
def run(finds, tmp_path, monkeypatch):
    """The whole command without the processes that it would start."""

    def run(rows, *words):
        finds()
        monkeypatch.setattr(command, "_peaks", lambda plan: {"float32": {"gflops": 1000.0}})
        monkeypatch.setattr(command, "_measured", lambda plan: iter([rows]))
        code = __main__.main(["throughput", "ring-16", "--out", str(tmp_path / "out"), *words])
        return SimpleNamespace(code=code, folder=tmp_path / "out")

    return run


def test_a_run_leaves_figures_table_and_picture(run, capsys):
    done = run(figures.results()["rows"])
    assert done.code == 0
    found = json.loads((done.folder / "results.json").read_text())
    assert len(found["rows"]) == 4
    assert found["command"][:4] == ["python", "-m", "benchmarks", "throughput"]
    assert not any(word.startswith("/") for word in found["command"])
    assert "MALLOC_MMAP_MAX_=0" in found["settings"]["allocator"]
    assert (done.folder / "README.md").read_text().startswith("# Training throughput")
    assert (done.folder / "throughput.png").stat().st_size > 1000
    assert "ganjax-chunk" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change", [{"error": "killed"}, {"same_work": {"comparable": False, "reason": "losses differ"}}]
)
def test_a_row_that_is_not_comparable_makes_the_command_exit_with_1(run, change):
    done = run([*figures.results()["rows"], figures.row("ganjax-step", [0.1], **change)])
    assert done.code == 1
    assert (done.folder / "README.md").exists()


def test_a_workload_that_cannot_be_prepared_makes_the_command_exit_with_1(run):
    assert run([]).code == 1


def test_workloads_are_prepared_by_the_interpreter_that_has_jax(finds):
    finds()
    plan = make_plan(Options(paths=("tensorflow-xla",), jax_python="a/python", tensorflow_python="b/python"))
    assert plan.jax_python == "a/python"
    assert plan.pythons == {"tensorflow-xla": "b/python"}


def test_errors_are_one_line(capsys):
    for words in (["througput"], ["throughput", "--rounds", "x"], ["throughput", "dcgan"]):
        assert __main__.main(words) == 2
        said = capsys.readouterr().err
        assert said.startswith("benchmarks: ")
        assert said.count("\n") == 1


def test_without_a_command_the_commands_are_listed(capsys):
    assert __main__.main([]) == 2
    assert __main__.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(command in said for command in ("throughput", "compare", "step-breakdown"))
