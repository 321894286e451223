"""Named experiments: data, GAN, number of steps, scores.

An experiment is a small frozen dataclass. Its fields are the flags of the command line, its docstring gives
the command, the time it takes and the result to expect, and `.gan` is its GAN:

    gan = ganjax.experiments.Ring().gan

`EXPERIMENTS` maps the names of the command line to the classes.
"""

from ganjax.experiments.base import Experiment
from ganjax.experiments.cartoon import Cartoon, CartoonFull, OriginalCartoon
from ganjax.experiments.landscapes import (
    LANDSCAPES,
    Checkerboard,
    Cube,
    Grid,
    Grid100,
    Moons,
    Ring,
    Spiral,
    Swissroll,
    Thousand,
    UnbalancedRing,
)
from ganjax.experiments.published import (
    LSGAN,
    PUBLISHED,
    R1GAN,
    R3GAN,
    WGANGP,
    HingeSN,
    PacGAN1,
    PacGAN2,
    PacGAN4,
    Unrolled,
)
from ganjax.experiments.registry import EXPERIMENTS
from ganjax.experiments.toy import OriginalToy

__all__ = [
    "EXPERIMENTS",
    "LANDSCAPES",
    "LSGAN",
    "PUBLISHED",
    "R1GAN",
    "R3GAN",
    "WGANGP",
    "Cartoon",
    "CartoonFull",
    "Checkerboard",
    "Cube",
    "Experiment",
    "Grid",
    "Grid100",
    "HingeSN",
    "Moons",
    "OriginalCartoon",
    "OriginalToy",
    "PacGAN1",
    "PacGAN2",
    "PacGAN4",
    "Ring",
    "Spiral",
    "Swissroll",
    "Thousand",
    "UnbalancedRing",
    "Unrolled",
]
