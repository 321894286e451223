"""A process that trains and measures toy runs: `python -m benchmarks.toy_tables.worker SAMPLES [CORE]`.

It reads JSON objects from its standard input, one on each line, and answers each with one; `group` is that of
plan.py:

    {"do": "program", "group": g}   -> {"program": digest of what would be trained}
    {"do": "train", "group": g, "seeds": [...], "files": [...]}
                                    -> {"program": digest, "versions": {...},
                                        "compile_seconds": for this request, "runs": [...]}
    {"do": "measure", ...}          -> {"runs": [...]}: only the measures, of the samples in the files

The first line that it sends is {"versions": {...}, "backend": name}; see also `benchmarks.workers`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from benchmarks import workers


def main(samples: int, core: int | None) -> None:
    """Answer requests until the standard input ends."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  (Keras would import it if it is installed)

    def begin() -> tuple[dict[str, Any], workers.Answer]:
        from ganjax.system.compilation_cache import keep_compilations
        from ganjax.system.process import keep_freed_memory

        keep_freed_memory(one_arena=False)
        keep_compilations()

        import jax

        from ganjax.system.environment import versions

        hello = {"versions": versions(), "backend": jax.default_backend()}
        return hello, Worker(samples, versions()).answer

    workers.serve(begin)


class Worker:
    """Keeps the program of the last group, so that it is compiled once for all its seeds.

    Args:
        samples: number of samples by which each run is measured.
        versions: of the packages that results depend on.
    """

    def __init__(self, samples: int, versions: Mapping[str, str]) -> None:
        self.samples, self.versions = samples, dict(versions)
        self._last: tuple[str, Any] = "", None

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request, as JSON values."""
        from benchmarks.toy_tables import measures
        from benchmarks.toy_tables.training import write

        group, do = question["group"], question["do"]
        if do == "measure":
            files = zip(question["seeds"], question["files"], strict=True)
            return {"runs": [measures.of_file(group["landscape"], seed, file) for seed, file in files]}
        trainer, seconds = self._trainer(group, len(question.get("seeds", [0])))
        if do == "program":
            return {"program": trainer.program}
        if do != "train":
            raise ValueError(f"cannot do {do!r}")
        compiled = seconds + trainer.compile() if seconds else 0.0
        runs = trainer.train(question["seeds"])
        rows = []
        for run, seed, file in zip(runs, question["seeds"], question["files"], strict=True):
            start = time.perf_counter()
            write(file, run)
            found = measures.of_file(group["landscape"], seed, file)
            rows.append(run.facts | found | {"measure_seconds": time.perf_counter() - start})
        return {
            "program": trainer.program,
            "versions": self.versions,
            "compile_seconds": compiled,
            "runs": rows,
        }

    def _trainer(self, group: Mapping[str, Any], together: int) -> tuple[Any, float]:
        """The group's trainer, and the seconds that it took to make; 0 if it is that of the last request."""
        from benchmarks.toy_tables.training import PerfectSampler, Trainer

        name = json.dumps([group, together], sort_keys=True)
        if name == self._last[0]:
            return self._last[1], 0.0
        start = time.perf_counter()
        kind = PerfectSampler if group["experiment"] is None else Trainer
        trainer = kind(group, self.samples, together)
        self._last = name, trainer
        return trainer, time.perf_counter() - start


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
