"""A pool of worker processes that train and measure groups of runs, one process for each core."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmarks.workers import ROOT, Conditions, WorkerFailed, WorkerProcess

T = TypeVar("T")

ONE_THREAD = {
    "NPROC": "1",  # of XLA's pool
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
"""On a CPU: small networks are no faster with two threads, so a second core is used for a second run."""


class Tasks(Generic[T]):
    """Tasks by group, handed out so that a worker stays with its group as long as it has tasks.

    Args:
        tasks: pairs of the number of a group and a task.

    Attributes:
        failed: group -> the reason why its tasks were given up.
    """

    def __init__(self, tasks: Iterable[tuple[int, T]]) -> None:
        self._left: dict[int, list[T]] = {}
        for group, task in tasks:
            self._left.setdefault(group, []).append(task)
        self._started: set[int] = set()
        self._lock = threading.Lock()
        self.failed: dict[int, str] = {}

    def take(self, last: int | None) -> tuple[int, T] | None:
        """The next task for a worker whose last one was of group `last`; None if there are no more.

        It is of the same group, or else of one that no worker has started, or else of the one with the most
        tasks left.
        """
        with self._lock:
            left = {group: tasks for group, tasks in self._left.items() if tasks}
            if not left:
                return None
            new = [group for group in left if group not in self._started]
            if last not in left:
                last = new[0] if new else max(left, key=lambda group: len(left[group]))
            self._started.add(last)
            return last, left[last].pop(0)

    def give_up(self, group: int, reason: str) -> None:
        """Drop the other tasks of this group."""
        with self._lock:
            self._left.pop(group, None)
            self.failed[group] = reason

    def close(self) -> None:
        """Drop all tasks."""
        with self._lock:
            self._left.clear()


class Pool:
    """Workers that are started when first needed and run until `stop`.

    Args:
        jobs: number of workers.
        device: "cpu", where each worker runs on one core, or "gpu".
        samples: number of samples by which runs are measured.
        logs: folder for the log files of the workers.

    Attributes:
        hello: the first answer of the last worker that was started.
    """

    def __init__(self, jobs: int, device: str, samples: int, logs: Path) -> None:
        self.jobs, self.device, self.samples, self.logs = jobs, device, samples, logs
        self.hello: Mapping[str, Any] = {}
        self._workers: dict[int, WorkerProcess] = {}
        self._stopped = False

    def run(self, tasks: Tasks[T], ask: Callable[[WorkerProcess, int, T], None]) -> None:
        """Call `ask(worker, group, task)` for each task, in one thread for each worker.

        If a worker fails, the other tasks of its group are dropped; `tasks.failed` has the reason.
        """
        with ThreadPoolExecutor(self.jobs) as threads:
            futures = [threads.submit(self._work, number, tasks, ask) for number in range(self.jobs)]
            try:
                for future in futures:
                    future.result()
            except BaseException:  # such as Ctrl-C: do not wait for runs to end
                tasks.close()
                self.stop()
                raise

    def stop(self) -> None:
        """Kill all workers, whatever they are doing."""
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
def worker_pool(jobs: int, device: str, samples: int, logs: Path) -> Iterator[Pool]:
    """A context with a pool, which is stopped at its end."""
    pool = Pool(jobs, device, samples, logs)
    try:
        yield pool
    finally:
        pool.stop()


def environment(device: str) -> dict[str, str]:
    """A worker's environment: that of this process without variables that change how JAX computes."""
    found = Conditions(device, one_arena=False).environment("float32", False)
    del found["JAX_ENABLE_COMPILATION_CACHE"]  # workers of the same group use the same compiled program
    return found | (ONE_THREAD if device == "cpu" else {})
