"""Fuzzes a target for a given time, in a process of its own, which an input may crash."""

import multiprocessing
import shutil
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from ganjax.cli.libraries import keras_by_default

from .exploring import Stuck, Tally, explore
from .targets import TARGETS

ROUND = 200  # inputs for each start of hypothesis, which begins with simple ones


def fuzz(name: str, seconds: float, seed: int, findings: Path) -> bool:
    """Read inputs until time is up or an input is neither read nor refused; returns whether there was none.

    Prints the counts and the finding, and saves that input in `findings`.
    """
    processes = multiprocessing.get_context("spawn")
    counts = processes.Array("q", 2)
    with tempfile.TemporaryDirectory() as work:
        (Path(work) / "input").mkdir()
        reader = processes.Process(target=_read, args=(name, seconds, seed, Path(work), counts))
        reader.start()
        reader.join()
        print(f"{name:<10} {counts[0]:>8} values {counts[1]:>8} refusals", flush=True)
        if reader.exitcode == 0:
            return True
        number = len(list(findings.glob(f"{name}-*")))
        kept = findings / f"{name}-{number}"
        shutil.copytree(Path(work) / "input", kept, symlinks=True)
    if reader.exitcode != 1:
        print(f"{name}: the process died of it (exit code {reader.exitcode})")
    print(f"again: python -m tests.fuzz {name} --input {kept}", flush=True)
    return False


def _read(name: str, seconds: float, seed: int, work: Path, counts) -> None:
    warnings.simplefilter("ignore")
    tally, until = Tally(), time.monotonic() + seconds
    with keras_by_default():  # as on the command line, without TensorFlow
        while time.monotonic() < until:
            try:
                explore(TARGETS[name], work, seed, ROUND, tally)
            except (Exception, Stuck) as error:
                error.__notes__ = []  # hypothesis adds the whole input, which is saved anyway
                traceback.print_exception(error, limit=-6)
                raise SystemExit(1) from None
            finally:
                counts[:] = tally.values, tally.refusals
            seed += 1
