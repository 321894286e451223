"""A process that trains and measures toy runs: `python -m benchmarks.toy_tables_worker SAMPLES [CORE]`.

A JSON object a line on its standard input, one back for each; `group` as in `toy_tables_plan`:

    {"do": "program", "group": g}   -> {"program": digest}: of what would be trained
    {"do": "train", "group": g, "seeds": [...], "files": [...]}
                                    -> {"program": digest, "versions": {...},
                                        "compile_seconds": of this question, "runs": [...]}
    {"do": "measure", ...}          -> {"runs": [...]}: the measures alone, of what the files hold

The first line comes unasked: {"versions": {...}, "backend": name}; `benchmarks.answers` has the rest.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from benchmarks import answers


def main(samples: int, core: int | None) -> None:
    """Answer until the standard input ends."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  (Keras imports it where it finds it)

    def begin() -> tuple[dict[str, Any], answers.Answer]:
        from ganjax.training.allocator import keep_freed_memory
        from ganjax.training.compilation_cache import keep_compilations

        keep_freed_memory(one_arena=False)
        keep_compilations()

        import jax

        from ganjax.training.environment import versions

        hello = {"versions": versions(), "backend": jax.default_backend()}
        return hello, Worker(samples, versions()).answer

    answers.serve(begin)


class Worker:
    """Keeps the last group compiled, so that its seeds follow one another without compiling again.

    Args:
        samples: how many each run is measured by.
        versions: of what results depend on.
    """

    def __init__(self, samples: int, versions: Mapping[str, str]) -> None:
        self.samples, self.versions = samples, dict(versions)
        self._last: tuple[str, Any] = "", None

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question, as JSON values."""
        from benchmarks import toy_tables_measures
        from benchmarks.toy_tables_training import write

        group, do = question["group"], question["do"]
        if do == "measure":
            files = zip(question["seeds"], question["files"], strict=True)
            return {
                "runs": [toy_tables_measures.of_file(group["landscape"], seed, file) for seed, file in files]
            }
        game, seconds = self._game(group, len(question.get("seeds", [0])))
        if do == "program":
            return {"program": game.program}
        if do != "train":
            raise ValueError(f"cannot do {do!r}")
        compiled = seconds + game.compile() if seconds else 0.0
        runs = game.train(question["seeds"])
        rows = []
        for run, seed, file in zip(runs, question["seeds"], question["files"], strict=True):
            begun = time.perf_counter()
            write(file, run)
            measures = toy_tables_measures.of_file(group["landscape"], seed, file)
            rows.append(run.facts | measures | {"measure_seconds": time.perf_counter() - begun})
        return {
            "program": game.program,
            "versions": self.versions,
            "compile_seconds": compiled,
            "runs": rows,
        }

    def _game(self, group: Mapping[str, Any], together: int) -> tuple[Any, float]:
        """The group's game, and the seconds that making it took: none where it is the last one's."""
        from benchmarks.toy_tables_training import Game, PerfectSampler

        name = json.dumps([group, together], sort_keys=True)
        if name == self._last[0]:
            return self._last[1], 0.0
        begun = time.perf_counter()
        kind = PerfectSampler if group["experiment"] is None else Game
        game = kind(group, self.samples, together)
        self._last = name, game
        return game, time.perf_counter() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
