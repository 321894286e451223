"""`python -m benchmarks COMMAND ...`: finds the command, and turns how it ends into an exit code.

0 done; 1 something is not comparable or failed; 2 a mistake of the user's, said in one line; 130 Ctrl-C.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from ganjax.cli.parsing import choose
from ganjax.system.errors import UserError

COMMANDS = {
    "throughput": ("throughput", "steps a second of every path, workload by workload"),
    "compare": ("compare", "two result folders of throughput side by side"),
    "step-breakdown": ("step_breakdown", "where a step's time goes"),
    "chunk-forms": ("chunk_forms", "which form of a chunk of steps is fastest"),
    "populations": ("populations", "seeds as one population, and one after the other"),
    "checkpoint-cost": ("checkpoint_cost", "what checkpoints cost"),
    "reproducibility": ("reproducibility", "under which conditions runs are the same to the bit"),
    "serve": ("serve", "how many faces a second the page of explore --serve shows"),
    "toy-tables": ("toy_tables", "recipes on toy landscapes, beside the published figures; sweeps"),
    "recipes": ("cartoon", "which recipe draws the best cartoon faces"),
}
"""Each command: the folder it lives in, whose `command.py` has its `main(words)`, and one line about it."""

USAGE = """usage: python -m benchmarks COMMAND ...

{commands}

python -m benchmarks COMMAND --help says more."""


def main(words: Sequence[str]) -> int:
    """Run one command line; returns its exit code."""
    if not words or words[0] in ("-h", "--help"):
        lines = "\n".join(f"  {name:<15} {what}" for name, (_, what) in COMMANDS.items())
        print(USAGE.format(commands=lines))
        return 0 if words else 2
    try:
        folder, _ = COMMANDS[choose(words[0], COMMANDS, "command")]
        return importlib.import_module(f"benchmarks.{folder}.command").main(words[1:]) or 0
    except (UserError, OSError) as error:
        print(f"benchmarks: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmarks: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
