"""`python -m benchmarks step-breakdown WORKLOAD`: the time of each part of one of ganjax's training steps.

Programs that compute more and more of a step (pieces.py) are timed in alternating rounds. The differences
within a round are the times of the parts. Steps are called one at a time, as for `ganjax-step` in the
throughput table.
"""

from __future__ import annotations

import argparse
import datetime
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine, nvidia
from benchmarks.tables import digits, markdown, plain
from benchmarks.throughput.results import Spread, spread
from benchmarks.throughput.workloads import KERAS_POLICIES, WORKLOADS, Workload
from benchmarks.workers import ROOT, Conditions
from ganjax.system.errors import UserError
from ganjax.system.files import atomic
from ganjax.viewing import style

if TYPE_CHECKING:
    from benchmarks.step_breakdown.pieces import Program
    from ganjax.gan import GAN

HEADER = ("part", "ms", "least", "most", "of the step", "GFLOP", "GFLOP/s")
NOTE = (
    "The time of a part is the median over the rounds of what it adds to the step: the difference between a "
    "program with it and one without it. The compiler fuses parts and overlaps them, so a part alone "
    "would take longer, and the time of a small one may be negative. The time of normalisation is the "
    "difference to the same networks without it; the parts above include it. GFLOP counts the operations of "
    "products and convolutions, computed directly."
)


def main(words: Sequence[str]) -> None:
    """Measure, print a table, and write it and a plot of it.

    Raises:
        UserError: there is no such device.
    """
    parser = _parser()
    asked = parser.parse_args(words)
    if asked.rounds < 1 or asked.seconds <= 0:
        parser.error("--rounds must be at least 1 and --seconds positive")
    options = [
        f"--{name} {getattr(asked, name)}"
        for name in ("device", "gpu", "precision", "rounds", "seconds")
        if getattr(asked, name) != parser.get_default(name)
    ] + ["--stock-allocator"] * asked.stock_allocator
    device = asked.device or ("gpu" if nvidia.gpus()[0] else "cpu")
    choose_device(Conditions(device, asked.gpu, asked.stock_allocator), asked.precision)

    where = machine.describe(asked.gpu if device == "gpu" else None)
    workload = WORKLOADS[asked.workload]
    title = f"{workload.name}, batch {workload.batch}, {asked.precision}"
    pieces, operations = measure(workload, asked.precision, asked.rounds, asked.seconds)
    body = table(pieces, operations)
    folder = asked.out or ROOT / "benchmarks/results" / f"{machine.slug(where)}-{datetime.date.today()}"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-breakdown-{workload.name}"
    draw(pieces, title, folder / f"{name}.png")
    parts = [
        f"# Time of each part of a step: {title}",
        f"{machine.sentence(where)}.",
        f"```bash\npython -m benchmarks step-breakdown {' '.join([workload.name, *options])}\n```",
        f"![Time of each part of a step]({name}.png)",
        markdown(HEADER, body, HEADER[1:]),
        f"{NOTE}\n",
    ]
    with atomic(folder / f"{name}.md") as path:
        path.write_text("\n\n".join(parts))
    print(f"{title}; {machine.sentence(where)}\n{plain(HEADER, body, HEADER[1:])}\n{NOTE}")
    print(f"in {folder / name}.md and .png")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks step-breakdown",
        description="Measure the time of each part of one of ganjax's training steps.",
    )
    add = parser.add_argument
    add("workload", choices=WORKLOADS, metavar="WORKLOAD", help=", ".join(WORKLOADS))
    add("--out", type=Path, help="folder for table and plot (default benchmarks/results/MACHINE-DATE)")
    add("--device", choices=("cpu", "gpu"), help="default: the GPU if nvidia-smi lists one")
    add(
        "--gpu",
        type=int,
        default=0,
        metavar="INDEX",
        help="index of the GPU, as nvidia-smi counts (default 0)",
    )
    add("--precision", choices=KERAS_POLICIES, default="float32", help="default: float32")
    add("--rounds", type=int, default=7, help="number of alternating rounds (default 7)")
    add("--seconds", type=float, default=0.5, help="approximate length of each timing (default 0.5)")
    add("--stock-allocator", action="store_true", help="leave glibc's malloc unchanged")
    return parser


def choose_device(conditions: Conditions, precision: str) -> None:
    """Give this process the environment of the timed paths; JAX must not have been imported before.

    Raises:
        UserError: JAX does not find the device.
    """
    environment = conditions.environment(precision, False)
    os.environ.clear()
    os.environ.update(environment | {"KERAS_BACKEND": "jax"})
    if not conditions.stock_allocator:
        from ganjax.system.process import keep_freed_memory

        keep_freed_memory()  # glibc reads its environment variables only when a program starts
    check_device(conditions.device)


def check_device(wanted: str) -> None:
    """Raise UserError unless JAX's first device is of the `wanted` kind: "cpu" or "gpu"."""
    import jax

    try:
        found = jax.devices()[0].platform
    except RuntimeError as error:
        raise UserError(f"JAX finds no {wanted.upper()}: {str(error).splitlines()[0]}") from error
    if found != wanted:
        raise UserError(f"JAX finds no {wanted.upper()}, only the {found.upper()}: choose one with --device")


def measure(
    workload: Workload, precision: str, rounds: int, seconds: float
) -> tuple[dict[str, Spread], dict[str, int]]:
    """`(seconds, operations)` of each part, by the names of `benchmarks.step_breakdown.pieces`."""
    from benchmarks.step_breakdown import pieces
    from benchmarks.throughput.gan import EPSILON, make_gan

    spec = vars(workload) | {"epsilon": EPSILON}
    networks = workload.networks(precision)
    gan = make_gan(spec, *networks)
    runs = {name: _runner(program, gan, workload) for name, program in pieces.programs(gan).items()}
    without = [pieces.without_normalization(network) for network in networks]
    if any(without):
        plain_gan = make_gan(spec, *(new or old for new, old in zip(without, networks, strict=True)))
        step = pieces.programs(plain_gan)[pieces.WHOLE]
        runs[pieces.NORMALIZATION] = _runner(step, plain_gan, workload)
    found = [pieces.split(times) for times in _rounds(runs, rounds, seconds)]
    counts = pieces.operations(gan, workload.batch * workload.seeds)
    return {name: spread([times[name] for times in found]) for name in found[0]}, counts


def _runner(program: Program, gan: GAN, workload: Workload) -> Callable[[int], float]:
    """`steps -> seconds` of the compiled program, which has its own state."""
    import jax
    import jax.numpy as jnp

    import ganjax

    keys = jax.vmap(jax.random.key)(jnp.arange(workload.seeds))
    state = jax.vmap(ganjax.init_state, (None, 0))(gan, keys)
    real = workload.real(jax.random.key(1), workload.batch)
    if workload.population:
        program = jax.vmap(program, (0, None))
    else:
        state = jax.tree.map(lambda leaf: leaf[0], state)
    compiled = jax.jit(program, donate_argnums=0).lower(state, real).compile()

    def run(steps: int) -> float:
        nonlocal state
        start = time.perf_counter()
        results: Any = None
        for _ in range(steps):
            state, results = compiled(state, real)
        jax.block_until_ready((state, results))
        return time.perf_counter() - start

    return run


def _rounds(
    runs: Mapping[str, Callable[[int], float]], rounds: int, seconds: float
) -> Sequence[dict[str, float]]:
    """Seconds of one step of every program, round by round; each round starts with the next program."""
    steps = {}
    for name, run in runs.items():
        run(1)  # the first call is slower
        steps[name] = max(1, int(seconds / run(1)))
        steps[name] = max(1, round(steps[name] * seconds / run(steps[name])))
    names, found = list(runs), []
    for number in range(rounds):
        first = number % len(names)
        found.append({name: runs[name](steps[name]) / steps[name] for name in names[first:] + names[:first]})
    return found


def table(pieces: Mapping[str, Spread], operations: Mapping[str, int]) -> list[list[str]]:
    """The cells under `HEADER`."""
    whole = pieces["whole step"].median
    body = []
    for name, time_ in pieces.items():
        count = operations.get(name)
        rate = count / time_.median / 1e9 if count and time_.median > 0 else None
        body.append(
            [
                name,
                *(f"{_milliseconds(value)}" for value in time_),
                f"{round(100 * time_.median / whole)}%",
                digits(count / 1e9) if count else "",
                digits(rate) if rate else "",
            ]
        )
    return body


def draw(pieces: Mapping[str, Spread], title: str, path: Path) -> Path:
    """Save a bar chart of the parts in milliseconds, with their spread. Returns the path of the PNG file."""
    from ganjax.viewing.saving import save_figure

    ax = style.new_axes(7.2, 0.9 + 0.33 * len(pieces))
    for place, (name, time_) in enumerate(pieces.items()):
        low, middle, high = (1000 * value for value in (time_.low, time_.median, time_.high))
        colour = style.BLUE if name.startswith(("G", "D")) else style.GREY
        hatch = "///" if name.startswith("D") else ""
        ax.barh(place, middle, 0.7, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        ax.errorbar(middle, place, xerr=[[middle - low], [high - middle]], color=style.BLACK, capsize=2.5)
        ax.annotate(
            _milliseconds(time_.median),
            (max(high, 0), place),
            (5, 0),
            textcoords="offset points",
            va="center",
        )
    ax.set_yticks(range(len(pieces)), list(pieces))
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlabel("ms per step")
    ax.set_title(title, loc="left")
    style.tidy(ax)
    return save_figure(path, ax.figure)


def _milliseconds(seconds: float) -> str:
    return digits(1000 * seconds) if seconds >= 0 else f"-{digits(-1000 * seconds)}"
