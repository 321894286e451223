"""`python -m benchmarks throughput`: its options, what it runs, and what it writes."""

from __future__ import annotations

import dataclasses
import datetime
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import tyro

from benchmarks import machine, workers
from benchmarks.throughput import measuring, picture, processes, report, results
from benchmarks.throughput.work import Work
from benchmarks.throughput.workloads import QUICK, WORKLOADS
from ganjax.cli.parsing import choose, parse
from ganjax.system.errors import UserError

PROG = "python -m benchmarks throughput"
RESULTS = workers.ROOT / "benchmarks" / "results"

Precision = Literal["float32", "tf32", "bfloat16"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Measure training steps per second of ganjax, stock Keras on JAX, and Keras on TensorFlow.

    python -m benchmarks throughput

    python -m benchmarks throughput dcgan-64 --rounds 9

    python -m benchmarks throughput --device gpu --tensorflow-python tf/bin/python

    The exit code is 1 if a path failed, or did not do the same work as the others.
    """

    workloads: tyro.conf.Positional[tuple[str, ...]] = ()
    """Workloads to run; by default all that suit the device."""
    out: Path | None = None
    """Folder for results.json, README.md and throughput.png; by default one named after machine and date."""
    quick: bool = False
    """Run a few workloads in short rounds, which takes at most two minutes on two cores."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Device to train on; auto is the GPU if JAX finds one."""
    gpu: int = 0
    """Index of the GPU, as nvidia-smi counts."""
    precision: tuple[Precision, ...] = ()
    """One or more precisions; by default float32, and on a GPU also tf32 and bfloat16."""
    paths: tuple[str, ...] = ()
    """Some of ganjax-step, ganjax-chunk, keras-jax, tensorflow-graph, tensorflow-xla; by default all."""
    rounds: int = 7
    """Number of rounds; each times every path once."""
    seconds: float = 2.0
    """Approximate length of each timing."""
    jax_python: str | None = None
    """Python interpreter for the paths on JAX; by default the one that runs this command."""
    tensorflow_python: str | None = None
    """Python interpreter for the TensorFlow paths; by default the one that runs this command."""
    deterministic: bool = False
    """Also time every path with deterministic kernels (GPU)."""
    stock_allocator: bool = False
    """Leave malloc unchanged on every path, instead of letting it keep freed memory."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """The complete settings after all checks; `jax_python` is the interpreter that prepares the workloads."""

    workloads: tuple[str, ...]
    precisions: tuple[str, ...]
    pythons: dict[str, str]
    jax_python: str
    conditions: workers.Conditions
    timing: measuring.Timing
    determinisms: tuple[bool, ...]
    notes: list[str]


def main(words: Sequence[str]) -> int:
    """Run the command; returns the exit code.

    Raises:
        UserError: options are wrong.
    """
    options = parse(Options, words, PROG)
    check(options)
    plan = make_plan(options)
    gpu = options.gpu if plan.conditions.device == "gpu" else None
    here = machine.describe(gpu)
    folder = options.out or RESULTS / f"{machine.slug(here)}-{datetime.date.today().isoformat()}"
    print(machine.sentence(here), *plan.notes, sep="\n", flush=True)
    found: results.Results = {
        "schema": results.SCHEMA,
        "command": machine.command_line("throughput", words),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "machine": here,
        "settings": _settings(options, plan),
        "peaks": _peaks(plan),
        "rows": [],
        "notes": plan.notes,
    }
    results.save(folder, found)
    for rows in _measured(plan):
        found["rows"] += rows
        results.save(folder, found)
    report.save(folder, found)
    picture.draw(found, folder / "throughput.png")
    print(report.terminal(found), f"\n{folder}")
    complete = {row["workload"] for row in found["rows"]} == set(plan.workloads)
    return int(not complete or any(_failed(row) for row in found["rows"]))


def check(options: Options) -> None:
    """Raise UserError for options that are wrong on every machine."""
    for name in options.workloads:
        choose(name, WORKLOADS, "workload")
    for path in options.paths:
        choose(path, processes.MODULES, "path")
    if not 1 <= options.rounds <= results.MOST_ROUNDS:
        raise UserError(f"--rounds must be from 1 to {results.MOST_ROUNDS}, got {options.rounds}")
    if not options.seconds > 0:
        raise UserError(f"--seconds must be positive, got {options.seconds}")


def make_plan(options: Options) -> Plan:
    """The plan for `options` on this machine, after a look at both interpreters.

    Raises:
        UserError: the device or the precision is not available, or JAX is missing.
    """
    environment = workers.Conditions("gpu", options.gpu).environment("float32", False)
    environment.pop("JAX_PLATFORMS")  # so that the probe also works with JAX without CUDA
    pythons = processes.interpreters(options.jax_python, options.tensorflow_python)
    jax_python = pythons["keras-jax"]
    gpus = {"jax": processes.probe(jax_python, "jax", environment)["gpu"]}
    notes = []
    try:
        gpus["tensorflow"] = processes.probe(pythons["tensorflow-graph"], "tensorflow", environment)["gpu"]
    except UserError as error:
        notes.append(f"no TensorFlow paths: {error}")
    device = options.device if options.device != "auto" else "gpu" if gpus["jax"] else "cpu"
    if device == "gpu":
        if gpus["jax"] is None:
            raise UserError(
                f"--device gpu: JAX finds no GPU ({machine.describe()['gpu_note'] or 'CUDA plugin?'})"
            )
        if gpus.get("tensorflow", "missing") is None:
            notes.append("no TensorFlow paths: TensorFlow finds no GPU")
            del gpus["tensorflow"]
    if device == "cpu" and "tf32" in options.precision:
        raise UserError("--precision tf32 is for GPUs: CPUs do not have TF32")
    if device == "cpu" and options.deterministic:
        raise UserError("--deterministic is for GPUs: on a CPU all paths are deterministic anyway")
    wanted = options.paths or tuple(processes.MODULES)
    pythons = {
        path: pythons[path] for path in wanted if "tensorflow" in gpus or not path.startswith("tensorflow")
    }
    if not pythons:
        raise UserError(notes[-1])
    suitable = [name for name, workload in WORKLOADS.items() if device == "gpu" or not workload.large]
    return Plan(
        options.workloads or (QUICK if options.quick else tuple(suitable)),
        options.precision or (("float32", "tf32", "bfloat16") if device == "gpu" else ("float32",)),
        pythons,
        jax_python,
        workers.Conditions(device, options.gpu, options.stock_allocator),
        measuring.Timing(5, 0.2) if options.quick else measuring.Timing(options.rounds, options.seconds),
        (False, True) if options.deterministic else (False,),
        notes,
    )


def _measured(plan: Plan) -> Iterator[list[results.Row]]:
    """The rows of each workload in each precision."""
    for name in plan.workloads:
        for precision in plan.precisions:
            print(f"{name}, {precision}", flush=True)
            conditions = plan.conditions._replace(one_arena=WORKLOADS[name].pictures)
            environment = conditions.environment(precision, False)
            # Batches of pictures are large, so each folder is deleted before the next one is written.
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary) / name
                try:
                    processes.prepare(
                        plan.jax_python, folder, name, precision, conditions.device, environment
                    )
                except workers.WorkerFailed as error:
                    plan.notes.append(f"{name}, {precision}: {error}")
                    print(f"  {error}", flush=True)
                    continue
                yield measuring.measure(
                    Work(folder),
                    plan.pythons,
                    conditions,
                    plan.timing,
                    lambda line: print(line, flush=True),
                    determinisms=plan.determinisms,
                )


def _peaks(plan: Plan) -> dict[str, Any]:
    """The measurements of `benchmarks.throughput.peaks`, in the environment of the paths on JAX."""
    done = subprocess.run(
        [
            plan.jax_python,
            "-m",
            "benchmarks.throughput.peaks",
            *plan.precisions,
            "--seconds",
            str(min(0.3, plan.timing.seconds)),
        ],
        capture_output=True,
        text=True,
        env=plan.conditions.environment("float32", False),
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [""])[-1]
        raise UserError(f"the speed of matrix products cannot be measured: {reason}")
    return json.loads(done.stdout)


def _settings(options: Options, plan: Plan) -> dict[str, Any]:
    on_gpu = plan.conditions.device == "gpu"
    kept, arena = (
        " ".join(f"{name}={value}" for name, value in setting.items())
        for setting in (workers.KEEP_FREED_MEMORY, workers.ONE_ARENA)
    )
    tuned = f"keeps freed memory ({kept}; for pictures also {arena}), on every path"
    return {
        "device": plan.conditions.device,
        "deterministic": options.deterministic,
        "allocator": "stock" if options.stock_allocator else tuned,
        "preallocation": "off on every path" if on_gpu else None,
        "rounds": plan.timing.rounds,
        "seconds": plan.timing.seconds,
    }


def _failed(row: results.Row) -> bool:
    return row["error"] is not None or row["same_work"]["comparable"] is False
