"""Named experiments: which data, which game, how long, how judged.

An experiment is a small frozen dataclass. Its fields are the command line's flags, its docstring says the
command, the time it takes and what you should see, and `.gan` is the game it plays:

    gan = ganjax.experiments.Ring().gan

`EXPERIMENTS` maps the names of the command line to the classes.
"""

from ganjax.experiments.base import Experiment
from ganjax.experiments.cartoon import Cartoon, CartoonFull, OriginalCartoon
from ganjax.experiments.toy import Checkerboard, Grid, Moons, OriginalToy, Ring, Spiral, Swissroll

_ALL: tuple[type[Experiment], ...] = (
    Cartoon,
    CartoonFull,
    OriginalCartoon,
    OriginalToy,
    Ring,
    Grid,
    Spiral,
    Swissroll,
    Moons,
    Checkerboard,
)
EXPERIMENTS: dict[str, type[Experiment]] = {experiment.name: experiment for experiment in _ALL}

__all__ = [
    "EXPERIMENTS",
    "Cartoon",
    "CartoonFull",
    "Checkerboard",
    "Experiment",
    "Grid",
    "Moons",
    "OriginalCartoon",
    "OriginalToy",
    "Ring",
    "Spiral",
    "Swissroll",
]
