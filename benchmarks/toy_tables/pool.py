"""Processes that work through groups of runs, one for each core."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmarks.workers import ROOT, WorkerProcess, Conditions, WorkerFailed

T = TypeVar("T")

ONE_THREAD = {
    "NPROC": "1",  # of XLA's pool
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
"""On a CPU: networks this small gain nothing from a second thread, a second run gains everything."""


class Tasks(Generic[T]):
    """Tasks by group, taken so that a worker stays with its group as long as there is something to do.

    Args:
        tasks: pairs of a group's number and a task.

    Attributes:
        failed: by group, why its tasks were given up.
    """

    def __init__(self, tasks: Iterable[tuple[int, T]]) -> None:
        self._left: dict[int, list[T]] = {}
        for group, task in tasks:
            self._left.setdefault(group, []).append(task)
        self._begun: set[int] = set()
        self._lock = threading.Lock()
        self.failed: dict[int, str] = {}

    def take(self, last: int | None) -> tuple[int, T] | None:
        """The next task for a worker whose last was of group `last`; None at the end.

        It goes on with that group, else with one that nobody has begun, else it helps with the one that has
        most left.
        """
        with self._lock:
            left = {group: tasks for group, tasks in self._left.items() if tasks}
            if not left:
                return None
            fresh = [group for group in left if group not in self._begun]
            if last not in left:
                last = fresh[0] if fresh else max(left, key=lambda group: len(left[group]))
            self._begun.add(last)
            return last, left[last].pop(0)

    def give_up(self, group: int, reason: str) -> None:
        """Do no more of this group."""
        with self._lock:
            self._left.pop(group, None)
            self.failed[group] = reason

    def close(self) -> None:
        """Hand out no more."""
        with self._lock:
            self._left.clear()


class Pool:
    """Workers, started when first needed and alive until `stop`.

    Args:
        jobs: how many.
        device: "cpu", where each keeps to one core, or "gpu".
        samples: as `toy_tables_worker` takes it.
        logs: folder for what the workers say.

    Attributes:
        hello: what the last one that was started said of itself.
    """

    def __init__(self, jobs: int, device: str, samples: int, logs: Path) -> None:
        self.jobs, self.device, self.samples, self.logs = jobs, device, samples, logs
        self.hello: Mapping[str, Any] = {}
        self._workers: dict[int, WorkerProcess] = {}
        self._stopped = False

    def run(self, tasks: Tasks[T], ask: Callable[[WorkerProcess, int, T], None]) -> None:
        """Call `ask(worker, group, task)` for each task; several at a time, from threads of their own.

        A group whose worker fails is given up; `tasks.failed` says why.
        """
        with ThreadPoolExecutor(self.jobs) as threads:
            futures = [threads.submit(self._work, number, tasks, ask) for number in range(self.jobs)]
            try:
                for future in futures:
                    future.result()
            except BaseException:  # Ctrl-C above all: nobody is to wait for a run to end
                tasks.close()
                self.stop()
                raise

    def stop(self) -> None:
        """End all workers, whatever they are doing."""
        self._stopped = True
        for worker in list(self._workers.values()):
            worker.stop()
        self._workers.clear()

    def _work(self, number: int, tasks: Tasks[T], ask: Callable[[WorkerProcess, int, T], None]) -> None:
        last = None
        while (taken := tasks.take(last)) is not None:
            last, task = taken
            try:
                ask(self._worker(number), last, task)
            except WorkerFailed as error:
                if self._stopped:
                    return
                tasks.give_up(last, str(error))
                with contextlib.suppress(KeyError):
                    self._workers.pop(number).stop()

    def _worker(self, number: int) -> WorkerProcess:
        if number not in self._workers:
            cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
            pinned = [str(cores[number % len(cores)])] if cores and self.device == "cpu" else []
            command = [sys.executable, "-m", "benchmarks.toy_tables.worker", str(self.samples), *pinned]
            log = self.logs / f"worker-{number}.log"
            self._workers[number] = WorkerProcess(command, log, environment(self.device), ROOT)
            self.hello = self._workers[number].hello()
        return self._workers[number]


@contextlib.contextmanager
def at_work(jobs: int, device: str, samples: int, logs: Path) -> Iterator[Pool]:
    """A pool that is stopped at the end."""
    pool = Pool(jobs, device, samples, logs)
    try:
        yield pool
    finally:
        pool.stop()


def environment(device: str) -> dict[str, str]:
    """A worker's environment: this one's, but for what changes how JAX computes."""
    found = Conditions(device, one_arena=False).environment("float32", False)
    del found["JAX_ENABLE_COMPILATION_CACHE"]  # workers that share a group share its program
    return found | (ONE_THREAD if device == "cpu" else {})
