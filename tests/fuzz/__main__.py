"""Feed broken files to everything that reads files from elsewhere, for a given time. In the root folder:

    python -m tests.fuzz --minutes 10            every target, one after another
    python -m tests.fuzz zip tar --minutes 2     some of them
    python -m tests.fuzz zip --input FOLDER      read one input again that an earlier run has found

The inputs of a target depend only on --seed. It stops at its first finding, which is printed and saved in
--findings; the exit code is then 1.
"""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from .exploring import read
from .targets import TARGETS
from .unattended import fuzz


def main(words=None):
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; by default all")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all of them together (10)")
    parser.add_argument("--seed", type=int, help="random by default; it is printed")
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "ganjax-fuzz")
    parser.add_argument("--input", type=Path, help="a saved input for one TARGET to read again")
    asked = parser.parse_args(words)
    if unknown := sorted(set(asked.targets) - set(TARGETS)):
        parser.error(f"there is no target {', '.join(unknown)}")
    names = asked.targets or list(TARGETS)
    if asked.input is not None:
        if len(names) != 1:
            parser.error("--input is for one TARGET")
        return again(names[0], asked.input)

    seed = random.randrange(2**31) if asked.seed is None else asked.seed
    asked.findings.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}, {asked.minutes:g} minutes, findings in {asked.findings}", flush=True)
    sound = [fuzz(name, 60 * asked.minutes / len(names), seed, asked.findings) for name in names]
    return 0 if all(sound) else 1


def again(name, path):
    """Read one saved input; a finding is raised."""
    with tempfile.TemporaryDirectory() as work:
        shutil.copytree(path, Path(work) / "input", symlinks=True)
        print("a value" if read(TARGETS[name], Path(work)) else "refused in one line")
    return 0


if __name__ == "__main__":
    sys.exit(main())
