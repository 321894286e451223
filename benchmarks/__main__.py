"""`python -m benchmarks COMMAND ...` runs a command and returns its exit code.

0: success; 1: something failed or is not comparable; 2: an error of the user, in one line; 130: Ctrl-C.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from ganjax.cli.parsing import choose
from ganjax.system.errors import UserError

COMMANDS = {
    "throughput": ("throughput", "training steps per second of ganjax, Keras on JAX, and TensorFlow"),
    "compare": ("compare", "compare two results of throughput"),
    "step-breakdown": ("step_breakdown", "how much time each part of a training step takes"),
    "chunk-forms": ("chunk_forms", "the fastest way to run a chunk of steps"),
    "populations": ("populations", "training many seeds as one population, or one after another"),
    "checkpoint-cost": ("checkpoint_cost", "how much time checkpoints take"),
    "reproducibility": ("reproducibility", "which conditions leave a run the same bit for bit"),
    "serve": ("serve", "faces per second on the page of ganjax explore --serve"),
    "toy-tables": ("toy_tables", "scores of toy recipes beside published ones; sweeps"),
    "recipes": ("cartoon", "which training recipe draws the best cartoon faces"),
}
"""Each command: the folder whose `command.py` has its `main(words)`, and one line about it."""

USAGE = """usage: python -m benchmarks COMMAND ...

{commands}

Options of a command: python -m benchmarks COMMAND --help"""


def main(words: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    if not words or words[0] in ("-h", "--help"):
        lines = "\n".join(f"  {name:<15} {about}" for name, (_, about) in COMMANDS.items())
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
