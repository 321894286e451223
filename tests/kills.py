"""Kills training at random moments, resumes it, and compares the result with runs that were not killed.

    PYTHONPATH=. python tests/kills.py --kills 50 --seed 0

A third of the kills come at a random time; the others at a random operation on a random kind of file: before
it, after it, or during a write (`dying.py`). Each run is resumed, and sometimes killed again. At the end its
files must be the same as in an uninterrupted run, with the same SHA-256; only `sessions` and `environment` in
manifest.json may differ. Exits with 1 if anything differs.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import hashlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import dying
import small_runs
from dying import MOMENTS

# A server that has imported everything forks each run: importing takes longer than such a run. JAX has not
# started there, so what is forked has one thread.
FORKING = multiprocessing.get_context("forkserver")
IMPORTED = ["dying", "small_runs", "ganjax.cli.train", "ganjax.cli.resume", "matplotlib.pyplot"]

FLAGS = ("--quiet", "--checkpoint-every", "3steps")
KINDS = {
    r".*model-.*|.*\.keras": "model",
    r"checkpoints/.*best_.*": "best state",
    r"checkpoints/.*step_.*": "checkpoint",
    r"samples/.*": "picture",
    r".*manifest.*": "manifest",
    r".*metrics.*": "metrics",
    r".*film.*": "film",
    r".*curves.*": "curves",
    r".*report.*": "report",
    r"\.lock": "lock",
}


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A run to kill: `first`, if given, is not killed; `words`, and `resume` afterwards, are."""

    name: str
    words: tuple[str, ...]
    resume: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


SCENARIOS = (
    Scenario("dots", ("train", "dots", "--steps", "20")),
    Scenario("tiles", ("train", "tiles", "--steps", "10", "--log-every", "4")),
    Scenario("nearest", ("train", "nearest", "--steps", "20")),
    Scenario("longer", ("resume",), ("--steps", "20"), first=("train", "nearest", "--steps", "7")),
)


@dataclasses.dataclass(frozen=True)
class Reference:
    """An uninterrupted run of a scenario.

    Attributes:
        before: a copy of the folder before the part that is killed; None if that part creates it.
        content: digests of its files at the end.
        operations: the operations on its files.
        seconds: from the first operation to the end.
    """

    scenario: Scenario
    before: Path | None
    content: dict[str, str]
    operations: list[str]
    seconds: float


class Child:
    """A process that trains in `folder`, watched by `dying.py`."""

    def __init__(self, folder, words, at=-1, moment="after"):
        self.log, self.said = folder.with_suffix(".log"), folder.with_suffix(".said")
        self.log.unlink(missing_ok=True)
        self.words = [str(word) for word in words]
        arguments = (folder, self.log, at, moment, self.words, self.said)
        self.process = FORKING.Process(target=dying.run, args=arguments)
        self.process.start()

    def wait_for_its_first_operation(self):
        while self.process.is_alive() and not (self.log.exists() and self.log.stat().st_size):
            time.sleep(0.01)
        return time.monotonic()

    def end(self):
        """Wait for it; returns its exit code, negative for a signal."""
        self.process.join(timeout=300)
        if self.process.exitcode not in (0, -signal.SIGKILL):
            said = self.said.read_text()
            raise RuntimeError(f"ganjax {self.words} ended with {self.process.exitcode}: {said}")
        return self.process.exitcode

    def operations(self):
        return self.log.read_text().splitlines() if self.log.exists() else []


def reference(base, scenario):
    """Run `scenario` without a kill."""
    folder, before = base / scenario.name, None
    words = [*scenario.words, *scenario.resume, *FLAGS]
    if scenario.first:
        Child(folder, [*scenario.first, *FLAGS, "--out", folder]).end()
        before = base / f"{scenario.name}-before"
        copied(folder, before)
    # Twice: the second time with compiled programs from the cache, like the runs that will be killed.
    for again in (False, True):
        if again:
            shutil.rmtree(folder)
            if before:
                copied(before, folder)
        child = Child(folder, _on(folder, words))
        start = child.wait_for_its_first_operation()
        child.end()
        seconds = time.monotonic() - start
    return Reference(scenario, before, content(folder), child.operations(), seconds)


def kill_and_resume(base, reference, number, draw):
    """Kill a run like `reference` at least once, and resume it; returns the kills, and which files differ."""
    scenario, folder = reference.scenario, base / f"{reference.scenario.name}-{number}"
    begin = _on(folder, [*scenario.words, *scenario.resume, *FLAGS])
    go_on = ["resume", folder, *scenario.resume, *FLAGS]
    hits = []
    while not hits:  # a kill may come too late
        shutil.rmtree(folder, ignore_errors=True)
        if reference.before:
            copied(reference.before, folder)
        hits += _kill(folder, begin, reference, draw)
    while draw.random() < 0.3:
        hits += _kill(folder, go_on if started(folder) else begin, reference, draw)
    Child(folder, go_on if started(folder) else begin).end()
    found = content(folder)
    names = found.keys() | reference.content.keys()
    different = sorted(name for name in names if found.get(name) != reference.content.get(name))
    if not different:
        shutil.rmtree(folder)
    return hits, different


def _kill(folder, words, reference, draw):
    """Start `words` and kill it; returns a list of one description, or an empty one if it came too late."""
    if draw.random() < 1 / 3:
        child = Child(folder, words)
        start = child.wait_for_its_first_operation()
        seconds = draw.uniform(0, reference.seconds)
        time.sleep(max(0.0, start + seconds - time.monotonic()))
        child.process.kill()
        when = f"after {seconds:.2f} s, when the last was"
    else:
        by_kind = collections.defaultdict(list)
        for i, operation in enumerate(reference.operations):
            by_kind[kind(operation)].append(i)
        at = draw.choice(by_kind[draw.choice(sorted(by_kind))])
        when = draw.choice(MOMENTS if reference.operations[at].startswith("write") else ("before", "after"))
        child = Child(folder, words, at, when)
    if child.end() == 0:
        return []
    last = (child.operations() or ["nothing"])[-1]
    return [f"{when} {last}"]


def started(folder):
    """Whether there is a run to resume; without a manifest it is started again."""
    return (folder / "manifest.json").exists()


def _on(folder, words):
    return [*words[:1], folder, *words[1:]] if words[0] == "resume" else [*words, "--out", folder]


def kind(operation):
    """The kind of file of an operation."""
    path = operation.split(" ")[-1]
    return next((kind for pattern, kind in KINDS.items() if re.fullmatch(pattern, path)), "folder")


def content(folder):
    """Content of a run folder by name: SHA-256s, and the manifest without what depends on the machine."""
    found = {str(path.relative_to(folder)): digest(path) for path in folder.rglob("*")}
    if started(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        for name in ("sessions", "environment"):
            del manifest[name]
        found["manifest.json"] = json.dumps(manifest)
    return found


def copied(folder, path):
    """A copy of `folder` at `path`."""
    return Path(shutil.copytree(folder, path))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"


def run(base, kills, seed, scenarios=SCENARIOS, say=print):
    """Kill this many runs, two at a time; returns how many had identical results."""
    with mock.patch.dict(os.environ, small_runs.environment(base)):  # of the server, and of all it forks
        FORKING.set_forkserver_preload(IMPORTED)
        forkserver.ensure_running()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        references = list(pool.map(lambda scenario: reference(base, scenario), scenarios))
        for one in references:
            say(f"{one.scenario.name}: {len(one.operations)} operations in {one.seconds:.1f} s")
        draws = [random.Random(f"{seed} {number}") for number in range(kills)]
        chosen = [references[number % len(references)] for number in range(kills)]
        ended = pool.map(lambda *case: kill_and_resume(base, *case), chosen, range(kills), draws)
        identical, counts = 0, collections.Counter()
        for number, (one, (hits, different)) in enumerate(zip(chosen, ended, strict=True)):
            identical += not different
            counts.update(kind(hit) for hit in hits)
            say(f"{number:3} {one.scenario.name:8} {'; then '.join(hits)}", flush=True)
            if different:
                say(
                    f"    DIFFERENT: {', '.join(different)} ({base / one.scenario.name}-{number})", flush=True
                )
    say(f"kills by kind of file: {', '.join(f'{count} {kind}' for kind, count in counts.most_common())}")
    say(f"{identical} of {kills} identical")
    return identical


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="kills-"))
    identical = run(scratch, asked.kills, asked.seed)
    if identical < asked.kills:
        sys.exit(1)
    shutil.rmtree(scratch)
